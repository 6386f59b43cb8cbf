"""What the API says and takes about backgrounds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from db.models import BackgroundPreset, BackgroundType
from serve_app.core.dependencies import Sign
from serve_app.core.media import PictureRead, picture_fields
from serve_app.core.schemas import Input, ListOf, Patch, Position

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Warm sand"])]
Type = Annotated[
    BackgroundType,
    Field(
        description="A `color` or an `image` is put behind the cut-out person; a `prompt` is "
        "generated with the picture."
    ),
]
Color = Annotated[
    str,
    Field(
        pattern=r"^#[0-9a-fA-F]{6}$",
        description="Of type `color`: as `#rrggbb`.",
        examples=["#e0cba8"],
    ),
    AfterValidator(str.lower),
]
Prompt = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1000,
        description="Of type `prompt`: what is behind the person.",
        examples=["street background, city street, daylight"],
    ),
]
UploadKey = Annotated[
    str,
    Field(
        max_length=200,
        description="Of type `image`: the `key` of an upload, see `POST /uploads/presigned-url`.",
    ),
]


class BackgroundPresetRead(BaseModel):
    """What is behind the person."""

    id: UUID
    name: str
    type: Type
    color: str | None = Field(description="As `#rrggbb`, of type `color`.")
    prompt: str | None = Field(description="Of type `prompt`.")
    image: PictureRead | None = Field(description="Of type `image`.")
    position: int
    is_standard: bool = Field(description="Everybody's; your organization cannot change it.")
    created_at: datetime
    updated_at: datetime


class BackgroundPresetList(ListOf[BackgroundPresetRead]):
    """One page of backgrounds."""


class BackgroundPresetCreate(Input):
    """A background of your organization's own, with the value of its type and no other."""

    name: Name
    type: Type
    color: Color | None = None
    prompt: Prompt | None = None
    upload_key: UploadKey | None = None
    position: Position = 100


class BackgroundPresetUpdate(Patch):
    """Changes of one of your backgrounds. Its type and its image stay: add another instead."""

    required = frozenset({"name", "color", "prompt", "position"})

    name: Name | None = None
    color: Color | None = None
    prompt: Prompt | None = None
    position: Position | None = None


async def read_background(preset: BackgroundPreset, sign: Sign) -> BackgroundPresetRead:
    """What the API says of a background, which is loaded with its media."""
    return BackgroundPresetRead(
        id=preset.id,
        name=preset.name,
        type=preset.type,
        color=preset.color,
        prompt=preset.prompt,
        image=PictureRead(**await picture_fields(preset.media, sign)) if preset.media else None,
        position=preset.position,
        is_standard=preset.is_standard,
        created_at=preset.created_at,
        updated_at=preset.updated_at,
    )
