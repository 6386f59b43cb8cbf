"""What the API says and takes about organizations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.schemas import Input

Name = Field(min_length=1, max_length=200, examples=["Maison Sartiq"])


class OrganizationRead(BaseModel):
    """A tenant."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    slug: str = Field(description="Its name in addresses and files.")
    fallback_model: str | None = Field(
        description="Model that makes the images which another one fails at, or keeps waiting; "
        "each generation tells it."
    )
    fallback_after_seconds: int | None = Field(
        description="How long a generation may wait for its own model. Null: until that fails."
    )
    created_at: datetime


class OrganizationList(BaseModel):
    """One page of organizations."""

    items: list[OrganizationRead]
    total: int
    page: int
    size: int


class OrganizationCreate(Input):
    """A new tenant."""

    name: str = Name
    slug: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")


class OrganizationUpdate(Input):
    """What an admin may change; what is absent stays as it is, and so does a name that is null."""

    name: str | None = Field(None, min_length=1, max_length=200)
    fallback_model: str | None = Field(
        None,
        max_length=200,
        description="A model of `/generation-models/`, hosted or not; null: none.",
        examples=["fal-flux-lora"],
    )
    fallback_after_seconds: int | None = Field(
        None,
        ge=1,
        le=86_400,
        description="How long a generation may wait for its own model before the other one makes "
        "it. Null: it waits until its own model has failed.",
        examples=[120],
    )
