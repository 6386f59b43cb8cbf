"""What the API says and takes about pictures of products."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from db.models import ProductImage, ProductImageType
from serve_app.core.dependencies import Sign
from serve_app.core.media import PictureRead, picture_fields
from serve_app.core.schemas import Input, Patch

Type = Annotated[
    ProductImageType,
    Field(
        description="What the picture shows. At most one is `primary`, the cover: a new one "
        "makes the earlier one `other`."
    ),
]
Position = Annotated[
    int, Field(ge=0, le=1_000_000, description="Its place among the product's pictures.")
]


class ProductImageRead(PictureRead):
    """A picture of a product."""

    id: UUID
    type: ProductImageType
    position: int
    created_at: datetime

    @classmethod
    async def of(cls, image: ProductImage, sign: Sign) -> Self:
        """Render a picture whose media are loaded."""
        return cls(
            id=image.id,
            type=image.type,
            position=image.position,
            created_at=image.created_at,
            **await picture_fields(image.media, sign),
        )


class ProductImageCreate(Input):
    """A picture that was uploaded before, see `POST /uploads/presigned-url`."""

    upload_key: str = Field(max_length=200, description="The `key` of the upload.")
    type: Type = ProductImageType.PRIMARY


class ProductImageUpdate(Patch):
    """Changes of a picture of a product."""

    required = frozenset({"type", "position"})

    type: Type | None = None
    position: Position | None = None
