"""What the API says and takes about styles."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.adapters import LoraId
from serve_app.core.schemas import Input, ListOf, Patch
from serve_app.core.text import Storable

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Nordic light"])]
Description = Annotated[str, Field(max_length=5000, examples=["Calm, cool and uncluttered"])]
Lighting = Annotated[str, Field(max_length=500, examples=["soft natural light"])]
Tone = Annotated[str, Field(max_length=500, examples=["muted, low contrast"])]
Color = Annotated[str, Field(min_length=1, max_length=50), Storable]
Palette = Annotated[
    list[Color],
    Field(
        max_length=16,
        description="Colours, by name or as `#rrggbb`.",
        examples=[["sand", "off-white", "#7d8c94"]],
    ),
]
Prompt = Annotated[
    str,
    Field(
        max_length=2000,
        description="What every prompt of this style says.",
        examples=["editorial fashion photography"],
    ),
]
NegativePrompt = Annotated[
    str,
    Field(
        max_length=2000,
        description="What pictures of this style should not show.",
        examples=["harsh shadows"],
    ),
]


class StyleRead(BaseModel):
    """Visual aesthetics."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    description: str | None
    lighting: str | None
    tone: str | None
    palette: list[str]
    prompt: str | None
    negative_prompt: str | None
    lora_id: LoraId | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


class StyleList(ListOf[StyleRead]):
    """One page of styles."""


class StyleCreate(Input):
    """A new style."""

    name: Name
    description: Description | None = None
    lighting: Lighting | None = None
    tone: Tone | None = None
    palette: Palette = Field(default_factory=list)
    prompt: Prompt | None = None
    negative_prompt: NegativePrompt | None = None
    lora_id: LoraId | None = None


class StyleUpdate(Patch):
    """Changes of a style."""

    required = frozenset({"name", "palette", "is_archived"})

    name: Name | None = None
    description: Description | None = None
    lighting: Lighting | None = None
    tone: Tone | None = None
    palette: Palette | None = None
    prompt: Prompt | None = None
    negative_prompt: NegativePrompt | None = None
    lora_id: LoraId | None = None
    is_archived: bool | None = None
