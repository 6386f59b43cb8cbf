"""What the API says and takes about brands."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.schemas import Input, ListOf, Patch

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Atelier Nord"])]
Description = Annotated[str, Field(max_length=5000, examples=["Knitwear from Tromsø"])]
Website = Annotated[str, Field(max_length=2000, examples=["https://atelier-nord.example.com"])]


class BrandRead(BaseModel):
    """A label of your organization."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    description: str | None
    website: str | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


class BrandList(ListOf[BrandRead]):
    """One page of brands."""


class BrandCreate(Input):
    """A new brand."""

    name: Name
    description: Description | None = None
    website: Website | None = None


class BrandUpdate(Patch):
    """Changes of a brand."""

    required = frozenset({"name", "is_archived"})

    name: Name | None = None
    description: Description | None = None
    website: Website | None = None
    is_archived: bool | None = None
