"""What the API says and takes about exports."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from db.models import FileFormat
from serve_app.backend.exports.naming import check_template
from serve_app.core.schemas import Input, ListOf


class Layout(Input):
    """One form in which every image is delivered."""

    name: str = Field(
        min_length=1,
        max_length=60,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        description="Its folder in the archive.",
        examples=["marketplace"],
    )
    width: int | None = Field(None, ge=16, le=8000, description="In pixels; else the image's own.")
    height: int | None = Field(None, ge=16, le=8000)
    padding: float = Field(
        0.0, ge=0, le=0.4, description="Margin, as a share of the shorter side.", examples=[0.05]
    )
    fit: Literal["contain", "cover"] = "contain"
    background: str = Field(
        "#ffffff",
        pattern=r"^(#[0-9a-fA-F]{6}|transparent)$",
        description="`#rrggbb`, or `transparent` (white in a JPEG).",
    )


class ExportCreate(Input):
    """What to deliver of a shooting."""

    format: FileFormat = FileFormat.JPEG
    quality: int = Field(92, ge=50, le=100, description="Of JPEG and WebP.")
    filename_template: str = Field(
        "{sku}_{view}_{framing}.{ext}",
        min_length=1,
        max_length=200,
        description="Fields: sku, product, look, subject, shot_type, framing, view, brand, "
        "shooting, index, ext. Equal names are numbered.",
    )
    layouts: list[Layout] = Field(
        [], max_length=10, description="Each image once for each; as it is when there are none."
    )
    shot_ids: list[UUID] | None = Field(
        None, max_length=5000, description="Only these shots; every approved one when absent."
    )

    @field_validator("filename_template")
    @classmethod
    def _can_name_files(cls, template: str) -> str:
        check_template(template)
        return template

    @field_validator("layouts")
    @classmethod
    def _names_are_unique(cls, layouts: list[Layout]) -> list[Layout]:
        if len({layout.name.lower() for layout in layouts}) < len(layouts):
            raise ValueError("each layout needs a name of its own")
        return layouts


class ExportRead(BaseModel):
    """An export, as it stands."""

    id: UUID
    shooting_id: UUID
    task_id: str
    status: Literal["pending", "running", "completed", "failed", "cancelled"]
    progress: float = Field(description="0 to 1.")
    url: str | None = Field(description="Of the ZIP; fetchable without a header until it expires.")
    size: int | None = Field(description="Bytes.")
    files: int | None = Field(description="Images in it, without the manifest.")
    options: dict[str, Any]
    error: str | None
    created_at: datetime
    completed_at: datetime | None


class ExportList(ListOf[ExportRead]):
    """One page of exports."""
