"""What the API says and takes about resolutions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.schemas import Input, ListOf, Patch, Position

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Product page 3:4"])]
MAX_SIDE = 8192
Side = Annotated[int, Field(ge=64, le=MAX_SIDE, description="Pixels.", examples=[1200])]


class ResolutionPresetRead(BaseModel):
    """Size of a deliverable."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    position: int
    is_standard: bool = Field(description="Everybody's; your organization cannot change it.")
    created_at: datetime
    updated_at: datetime


class ResolutionPresetList(ListOf[ResolutionPresetRead]):
    """One page of resolutions."""


class ResolutionPresetCreate(Input):
    """A resolution of your organization's own."""

    name: Name
    width: Side
    height: Side
    position: Position = 100


class ResolutionPresetUpdate(Patch):
    """Changes of one of your resolutions."""

    required = frozenset({"name", "width", "height", "position"})

    name: Name | None = None
    width: Side | None = None
    height: Side | None = None
    position: Position | None = None
