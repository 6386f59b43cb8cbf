"""What the API says and takes about shootings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from db.models import ShootingPhase, ShotStatus
from serve_app.core.schemas import Input, ListOf, Patch

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Summer Collection 2024"])]
Description = Annotated[str, Field(max_length=5000, examples=["E-commerce, plain backgrounds"])]
Season = Annotated[str, Field(max_length=100, examples=["SS24"])]
Collection = Annotated[str, Field(max_length=200, examples=["Riviera"])]
DueDate = Annotated[date, Field(examples=["2024-05-31"])]
BrandRef = Annotated[UUID, Field(description="Whose products are photographed.")]
GuidelineRef = Annotated[UUID, Field(description="Guidelines of looks that name none.")]
Phase = Annotated[ShootingPhase, Field(description="How far the work with the brand is.")]


class ShootingRead(BaseModel):
    """A session that makes the pictures of a collection."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    brand_id: UUID
    guideline_id: UUID | None
    name: str
    description: str | None
    season: str | None
    collection: str | None
    due_date: date | None
    phase: ShootingPhase
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ShootingList(ListOf[ShootingRead]):
    """One page of shootings."""


class ShootingCreate(Input):
    """A new shooting."""

    name: Name
    brand_id: BrandRef
    guideline_id: GuidelineRef | None = None
    description: Description | None = None
    season: Season | None = None
    collection: Collection | None = None
    due_date: DueDate | None = None
    phase: Phase = ShootingPhase.BRIEF


class ShootingUpdate(Patch):
    """Changes of a shooting."""

    required = frozenset({"name", "brand_id", "phase", "is_archived"})

    name: Name | None = None
    brand_id: BrandRef | None = None
    guideline_id: GuidelineRef | None = None
    description: Description | None = None
    season: Season | None = None
    collection: Collection | None = None
    due_date: DueDate | None = None
    phase: Phase | None = None
    is_archived: bool | None = None


class ShootingProgress(BaseModel):
    """How many shots of a shooting are in each state."""

    total: int
    pending: int
    generating: int
    review: int
    approved: int
    rejected: int
    approved_percent: float = Field(
        description="Of all shots, 0 to 100; 0 where there are none.", examples=[62.5]
    )

    @classmethod
    def of(cls, counts: Mapping[ShotStatus, int]) -> Self:
        """Sum up counts, one for each state."""
        total = sum(counts.values())
        percent = 100 * counts[ShotStatus.APPROVED] / total if total else 0.0
        return cls(
            total=total,
            approved_percent=round(percent, 1),
            **{status.value: count for status, count in counts.items()},
        )
