"""What the API says and takes about shot types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from db.models import Framing, View
from serve_app.core.schemas import Input, ListOf, Patch, Position

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Detail of the cuff"])]
Prompt = Annotated[
    str,
    Field(
        max_length=1000,
        description="What the prompt of a shot says of it.",
        examples=["close-up of the sleeve's cuff, front view"],
    ),
]


class ShotTypeRead(BaseModel):
    """Framing and view of a shot."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    framing: Framing
    view: View
    prompt: str | None
    position: int
    is_standard: bool = Field(description="Everybody's; your organization cannot change it.")
    created_at: datetime
    updated_at: datetime


class ShotTypeList(ListOf[ShotTypeRead]):
    """One page of shot types."""


class ShotTypeCreate(Input):
    """A shot type of your organization's own."""

    name: Name
    framing: Framing
    view: View
    prompt: Prompt | None = None
    position: Position = 100


class ShotTypeUpdate(Patch):
    """Changes of one of your shot types."""

    required = frozenset({"name", "framing", "view", "position"})

    name: Name | None = None
    framing: Framing | None = None
    view: View | None = None
    prompt: Prompt | None = None
    position: Position | None = None
