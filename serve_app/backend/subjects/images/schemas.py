"""What the API says and takes about pictures of subjects."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from db.models import SubjectImage
from serve_app.core.dependencies import Sign
from serve_app.core.media import PictureRead, picture_fields
from serve_app.core.schemas import Input, Patch

ShotTypeRef = Annotated[
    UUID,
    Field(
        description="Of which shot type this is the base image. A subject has one for each: a new "
        "one takes the place of the earlier one."
    ),
]
IsCover = Annotated[
    bool,
    Field(description="Whether the subject is shown by it; a new cover replaces the earlier one."),
]
Position = Annotated[
    int, Field(ge=0, le=1_000_000, description="Its place among the subject's pictures.")
]


class SubjectImageRead(PictureRead):
    """A picture of a subject."""

    id: UUID
    shot_type_id: UUID | None
    is_cover: bool
    position: int
    created_at: datetime

    @classmethod
    async def of(cls, image: SubjectImage, sign: Sign) -> Self:
        """Render a picture whose media are loaded."""
        return cls(
            id=image.id,
            shot_type_id=image.shot_type_id,
            is_cover=image.is_cover,
            position=image.position,
            created_at=image.created_at,
            **await picture_fields(image.media, sign),
        )


class SubjectImageCreate(Input):
    """A picture that was uploaded before, see `POST /uploads/presigned-url`."""

    upload_key: str = Field(max_length=200, description="The `key` of the upload.")
    shot_type_id: ShotTypeRef | None = None
    is_cover: IsCover = False


class SubjectImageUpdate(Patch):
    """Changes of a picture of a subject."""

    required = frozenset({"is_cover", "position"})

    shot_type_id: ShotTypeRef | None = None
    is_cover: IsCover | None = None
    position: Position | None = None
