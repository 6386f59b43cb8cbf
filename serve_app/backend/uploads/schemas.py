"""What the API says and takes about uploads."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from serve_app.core.schemas import Input


class UploadCreate(Input):
    """A file that will be uploaded. Its bytes are checked when something takes it."""

    filename: str = Field(min_length=1, max_length=255, examples=["product.jpg"])
    content_type: Literal["image/jpeg", "image/png", "image/webp", "image/avif"]
    size: int = Field(ge=1, description="Bytes.", examples=[2_500_000])


class UploadRead(BaseModel):
    """Where to put a file, and under which key to attach it afterwards."""

    upload_url: str = Field(description="Takes the bytes of the file, without a token.")
    method: Literal["PUT"] = Field(description="How to send them.")
    headers: dict[str, str] = Field(
        description="To send with them.", examples=[{"Content-Type": "image/jpeg"}]
    )
    key: str = Field(
        description="The `upload_key` of a picture that is added; good for 24 hours, and once."
    )
    expires_at: datetime = Field(description="Until when the URL takes a file.")
    max_size: int = Field(description="Bytes.")
