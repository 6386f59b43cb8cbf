"""What the API says and takes about looks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from db.models import FileFormat, Look
from serve_app.backend.shots.schemas import ShotSummary
from serve_app.core.dependencies import Sign
from serve_app.core.schemas import Input, ListOf, Patch


def _no_twice(ids: list[UUID]) -> list[UUID]:
    for row_id in ids:
        if ids.count(row_id) > 1:
            raise PydanticCustomError("duplicate", "{id} stands here twice", {"id": str(row_id)})
    return ids


Name = Annotated[str, Field(max_length=200, examples=["Dress with sandals"])]
MainProduct = Annotated[UUID, Field(description="The product that the pictures are to sell.")]
SubjectRef = Annotated[UUID, Field(description="Who wears it.")]
StyleRef = Annotated[UUID, Field(description="How the pictures should look.")]
GuidelineRef = Annotated[UUID, Field(description="The brand's rules; else those of the shooting.")]
Resolution = Annotated[UUID, Field(description="Size of the deliverables; else the model's own.")]
Background = Annotated[UUID, Field(description="What is behind the person.")]
Outfit = Annotated[str, Field(max_length=5000, examples=["Sleeves rolled up, shirt tucked in"])]
Format = Annotated[FileFormat, Field(description="Of the deliverables.")]
FurtherProducts = Annotated[
    list[UUID],
    Field(max_length=10, description="What else is worn, in order of importance."),
    AfterValidator(_no_twice),
]
ShotTypes = Annotated[
    list[UUID],
    Field(min_length=1, max_length=50, description="One shot is made for each, in this order."),
    AfterValidator(_no_twice),
]


class LookRead(BaseModel):
    """Products on a subject in a style, with one shot for each shot type."""

    id: UUID
    shooting_id: UUID
    name: str | None
    main_product_id: UUID
    product_ids: list[UUID] = Field(description="Further products.")
    subject_id: UUID
    style_id: UUID | None
    guideline_id: UUID | None
    resolution_preset_id: UUID | None
    background_preset_id: UUID | None
    outfit_instructions: str | None
    file_format: FileFormat
    shots: list[ShotSummary]
    created_at: datetime
    updated_at: datetime

    @classmethod
    async def of(cls, look: Look, sign: Sign) -> Self:
        """Render a look whose products and shots are loaded."""
        return cls(
            id=look.id,
            shooting_id=look.shooting_id,
            name=look.name,
            main_product_id=look.main_product_id,
            product_ids=[one.product_id for one in look.products],
            subject_id=look.subject_id,
            style_id=look.style_id,
            guideline_id=look.guideline_id,
            resolution_preset_id=look.resolution_preset_id,
            background_preset_id=look.background_preset_id,
            outfit_instructions=look.outfit_instructions,
            file_format=look.file_format,
            shots=[await ShotSummary.of(shot, sign) for shot in look.shots],
            created_at=look.created_at,
            updated_at=look.updated_at,
        )


class LookList(ListOf[LookRead]):
    """One page of looks."""


class LookOfShootingCreate(Input):
    """A new look of the shooting that the path names."""

    main_product_id: MainProduct
    subject_id: SubjectRef
    style_id: StyleRef | None = None
    shot_type_ids: ShotTypes
    product_ids: FurtherProducts = Field(default_factory=list)
    guideline_id: GuidelineRef | None = None
    resolution_preset_id: Resolution | None = None
    background_preset_id: Background | None = None
    outfit_instructions: Outfit | None = None
    file_format: Format = FileFormat.JPEG
    name: Name | None = None


class LookCreate(LookOfShootingCreate):
    """A new look."""

    shooting_id: UUID = Field(description="To which it is added.")


class LookUpdate(Patch):
    """Changes of a look. The lists replace those that were there; images stay as they are."""

    required = frozenset(
        {"main_product_id", "subject_id", "shot_type_ids", "product_ids", "file_format"}
    )

    main_product_id: MainProduct | None = None
    subject_id: SubjectRef | None = None
    style_id: StyleRef | None = None
    shot_type_ids: ShotTypes | None = None
    product_ids: FurtherProducts | None = None
    guideline_id: GuidelineRef | None = None
    resolution_preset_id: Resolution | None = None
    background_preset_id: Background | None = None
    outfit_instructions: Outfit | None = None
    file_format: Format | None = None
    name: Name | None = None
