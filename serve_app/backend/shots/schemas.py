"""What the API says and takes about shots."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from db.models import Framing, Shot, ShotStatus, View
from serve_app.core.dependencies import Sign
from serve_app.core.schemas import Input, ListOf, Patch

Position = Annotated[int, Field(ge=0, le=10_000, description="Place among the look's shots.")]
Notes = Annotated[str, Field(min_length=1, max_length=5000, examples=["The hem is cut off"])]
Reason = Annotated[str, Field(min_length=1, max_length=200, examples=["Wrong colour"])]


class ShotSummary(BaseModel):
    """A shot, as its look shows it."""

    id: UUID
    shooting_id: UUID
    look_id: UUID
    shot_type_id: UUID
    position: int
    status: ShotStatus
    revision: int = Field(description="Number of the current revision, from 1.")
    current_prediction_id: UUID | None
    current_image_url: str | None = Field(
        description="The image that the shot shows, for a while; null while it has none."
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    async def of(cls, shot: Shot, sign: Sign) -> Self:
        """Render a shot with all that this schema shows of it loaded."""
        path = shot.current_image_path
        return cls(
            id=shot.id,
            shooting_id=shot.shooting_id,
            look_id=shot.look_id,
            shot_type_id=shot.shot_type_id,
            position=shot.position,
            status=shot.status,
            revision=shot.revision,
            current_prediction_id=shot.current_prediction_id,
            current_image_url=None if path is None else await sign(path),
            created_at=shot.created_at,
            updated_at=shot.updated_at,
            **cls._further(shot),
        )

    @classmethod
    def _further(cls, _shot: Shot) -> dict[str, Any]:
        return {}


class ShotTypeOfShot(BaseModel):
    """Framing and view."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    framing: Framing
    view: View


class ShotRevisionRead(BaseModel):
    """One round of a shot, from its first image to the decision about it."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    status: ShotStatus
    notes: str | None = Field(description="What this round is to change.")
    reason: str | None = Field(description="Why it was rejected.")
    decision_notes: str | None
    prediction_id: UUID | None = Field(description="The image that was approved.")
    decided_by: UUID | None = Field(description="Id of the user who decided.")
    decided_at: datetime | None
    created_at: datetime


class ShotRead(ShotSummary):
    """One deliverable image, with the decisions about it."""

    shot_type: ShotTypeOfShot
    revisions: list[ShotRevisionRead] = Field(description="The first one first.")

    @classmethod
    def _further(cls, shot: Shot) -> dict[str, Any]:
        revisions = [ShotRevisionRead.model_validate(one) for one in shot.revisions]
        return {
            "shot_type": ShotTypeOfShot.model_validate(shot.shot_type),
            "revisions": revisions,
        }


class ShotList(ListOf[ShotRead]):
    """One page of shots."""


class ShotUpdate(Patch):
    """Changes of a shot."""

    required = frozenset({"position"})

    position: Position | None = None


class Decision(Input):
    """What every decision may say."""

    revision: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="The revision that you looked at; refused with 409 if there is a newer one.",
    )


class ShotApprove(Decision):
    """An image is what was asked for."""

    prediction_id: UUID = Field(description="The image, one of the current revision's.")
    notes: Notes | None = None


class ShotReject(Decision):
    """No image is what was asked for."""

    reason: Reason
    notes: Notes | None = None


class ShotRequestRevision(Decision):
    """Another round is needed."""

    notes: Notes = Field(description="What it is to change.")


class ShotUnapprove(Decision):
    """An approval is taken back."""
