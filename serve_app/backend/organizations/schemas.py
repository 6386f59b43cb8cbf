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
    """What an admin may change; what is absent or null stays as it is."""

    name: str | None = Field(None, min_length=1, max_length=200)
