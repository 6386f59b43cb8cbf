"""What the API answers about stored pictures."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ImageRead(BaseModel):
    """A picture in storage."""

    path: str = Field(description="Name in storage, for `GET /storage/images/{path}`.")
    url: str = Field(description="Fetchable without a header until it expires.")
    content_type: str
    size: int = Field(description="Bytes.")
    width: int
    height: int
    sha256: str
