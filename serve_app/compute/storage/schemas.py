"""What the API answers about stored pictures and datasets."""

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


class DatasetRead(BaseModel):
    """An archive of pictures that can be trained from."""

    path: str = Field(description="Name in storage.")
    url: str = Field(
        description="For `dataset_url` of `POST /training/`; fetchable without a header until it "
        "expires."
    )
    size: int = Field(description="Bytes.")
    sha256: str
    images: int = Field(description="Pictures in it.")
    captions: int = Field(description="How many of them have a caption.")
    warnings: list[str] = Field(
        description="What you may want to mend before you train.",
        examples=[["2 pictures have no caption: 07.jpg, 11.jpg"]],
    )
