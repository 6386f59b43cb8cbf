"""Generations of a shot, the tasks that they consist of, and the images that come out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey, text_enum
from db.models.task import TaskStatus


class GenerationType(StrEnum):
    """How images are accepted."""

    # As they come.
    BASE = "base"
    # Evaluated; adjusted and tried again while they are not good enough.
    AGENTIC = "agentic"


class StepKind(StrEnum):
    """What a task does for its generation, in the order of a generation's steps."""

    COMPOSE = "compose"
    GENERATE = "generate"
    EVALUATE = "evaluate"
    UPSCALE = "upscale"
    BACKGROUND = "background"


class PredictionStatus(StrEnum):
    """What has been decided about an image."""

    REVIEW = "review"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPORTED = "exported"


class Generation(Base):
    """One request for images of a shot, with all that they are made from."""

    __tablename__ = "generations"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(None, "shot_id", text("id DESC")),
        Index(None, "reproduces_id"),
        CheckConstraint("num_predictions > 0 AND max_attempts > 0", name="counts"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    shot_id: Mapped[UUID] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"))
    # Number of the shot's revision that it belongs to.
    revision: Mapped[int]
    type: Mapped[GenerationType] = mapped_column(text_enum(GenerationType, "type"))
    status: Mapped[TaskStatus] = mapped_column(
        text_enum(TaskStatus, "status"), server_default=TaskStatus.PENDING.value
    )
    # Name of a catalog entry.
    model: Mapped[str]
    prompt: Mapped[str]
    negative_prompt: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    num_predictions: Mapped[int]
    # Agentic: how often to try, and the score in [0, 1] from which an image is good enough.
    max_attempts: Mapped[int] = mapped_column(server_default=text("1"))
    min_confidence_score: Mapped[float | None] = mapped_column(REAL)
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    # Everything else that its tasks are made of: see `serve_app/backend/generations/recipe.py`.
    recipe: Mapped[dict[str, Any]]
    # The accepted images on their way through its steps: as in a task's output, with ``scores``.
    images: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    reproduces_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("generations.id", ondelete="SET NULL")
    )
    credits_charged: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    completed_at: Mapped[datetime | None]

    predictions: Mapped[list[Prediction]] = relationship(
        lazy="raise", order_by="Prediction.index", viewonly=True
    )


class GenerationInput(Base):
    """A picture that a generation is made from; it is kept for as long as the generation is."""

    __tablename__ = "generation_inputs"
    __table_args__ = (Index(None, "media_id"), Index(None, "organization_id"))

    generation_id: Mapped[UUID] = mapped_column(
        ForeignKey("generations.id", ondelete="CASCADE"), primary_key=True
    )
    media_id: Mapped[UUID] = mapped_column(ForeignKey("media.id"), primary_key=True)
    organization_id: Mapped[OrganizationKey]


class GenerationStep(Base):
    """A task of a generation. Its outcome is drawn into the generation once, in the transaction
    that settles it or, should that have been somebody else's, soon after."""

    __tablename__ = "generation_steps"
    __table_args__ = (
        Index(None, "generation_id"),
        Index(None, "organization_id"),
        Index(
            "ix_generation_steps_open",
            "created_at",
            postgresql_where=text("projected_at IS NULL"),
        ),
        UniqueConstraint("generation_id", "kind", "attempt", "index"),
    )

    task_id: Mapped[str] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    organization_id: Mapped[OrganizationKey]
    generation_id: Mapped[UUID] = mapped_column(ForeignKey("generations.id", ondelete="CASCADE"))
    kind: Mapped[StepKind] = mapped_column(text_enum(StepKind, "kind"))
    # Of an agentic generation, from 1.
    attempt: Mapped[int]
    # Of the image that the step works on; 0 where it works on all.
    index: Mapped[int]
    projected_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Prediction(Base):
    """One image of a generation."""

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("generation_id", "index"),
        Index(None, "organization_id", text("id DESC")),
        Index(None, "shot_id", text("id DESC")),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    generation_id: Mapped[UUID] = mapped_column(ForeignKey("generations.id", ondelete="CASCADE"))
    shot_id: Mapped[UUID] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"))
    index: Mapped[int]
    status: Mapped[PredictionStatus] = mapped_column(
        text_enum(PredictionStatus, "status"), server_default=PredictionStatus.REVIEW.value
    )
    # Where the image lies in storage; its names hold the task that made it.
    path: Mapped[str]
    content_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int]
    sha256: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    # Of an evaluator, each in [0, 1], with the whole as ``confidence``.
    scores: Mapped[dict[str, Any] | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
