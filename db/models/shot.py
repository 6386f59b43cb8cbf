"""Shots: the deliverables, their revisions, and what reviewers say about them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey, text_enum
from db.models.generation import Prediction
from db.models.preset import ShotType


class ShotStatus(StrEnum):
    """Of a shot and of each of its revisions."""

    PENDING = "pending"
    GENERATING = "generating"
    REVIEW = "review"
    APPROVED = "approved"
    REJECTED = "rejected"


class Shot(Base):
    """One deliverable image. Its status is that of its current revision."""

    __tablename__ = "shots"
    __table_args__ = (
        UniqueConstraint("look_id", "shot_type_id"),
        Index(None, "organization_id", text("id DESC")),
        Index(None, "shooting_id", "status"),
        Index(None, "shot_type_id"),
        Index(None, "current_prediction_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    shooting_id: Mapped[UUID] = mapped_column(ForeignKey("shootings.id", ondelete="CASCADE"))
    look_id: Mapped[UUID] = mapped_column(ForeignKey("looks.id", ondelete="CASCADE"))
    shot_type_id: Mapped[UUID] = mapped_column(ForeignKey("shot_types.id"))
    position: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[ShotStatus] = mapped_column(
        text_enum(ShotStatus, "status"), server_default=ShotStatus.PENDING.value
    )
    # Number of the current revision, from 1.
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    # The image that the shot shows: the selected one, or the latest.
    current_prediction_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("predictions.id", ondelete="SET NULL", use_alter=True)
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    shot_type: Mapped[ShotType] = relationship(lazy="raise", viewonly=True)
    current_prediction: Mapped[Prediction | None] = relationship(
        lazy="raise", foreign_keys=[current_prediction_id], viewonly=True
    )
    revisions: Mapped[list[ShotRevision]] = relationship(
        lazy="raise", order_by="ShotRevision.number", viewonly=True
    )

    @property
    def current_image_path(self) -> str | None:
        """Where the image that the shot shows lies; None while it has none."""
        return None if self.current_prediction is None else self.current_prediction.path


class ShotRevision(Base):
    """One round of a shot, from its first image to the decision about it."""

    __tablename__ = "shot_revisions"
    __table_args__ = (
        UniqueConstraint("shot_id", "number"),
        CheckConstraint("number >= 1", name="number"),
        Index(None, "organization_id"),
        Index(None, "prediction_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    shot_id: Mapped[UUID] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"))
    number: Mapped[int]
    status: Mapped[ShotStatus] = mapped_column(
        text_enum(ShotStatus, "status"), server_default=ShotStatus.PENDING.value
    )
    # What this round is to change.
    notes: Mapped[str | None]
    # Why it was rejected, and more about it.
    reason: Mapped[str | None]
    decision_notes: Mapped[str | None]
    # The image that was approved.
    prediction_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("predictions.id", ondelete="SET NULL", use_alter=True)
    )
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    decided_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class ShotComment(Base):
    """A remark of a reviewer, pinned to a point of an image if it is about one."""

    __tablename__ = "shot_comments"
    __table_args__ = (
        Index(None, "shot_id", "id"),
        Index(None, "organization_id"),
        Index(None, "prediction_id"),
        CheckConstraint("(x IS NULL) = (y IS NULL)", name="point"),
        CheckConstraint("x BETWEEN 0 AND 1 AND y BETWEEN 0 AND 1", name="inside"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    shot_id: Mapped[UUID] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"))
    prediction_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("predictions.id", ondelete="CASCADE", use_alter=True)
    )
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    text: Mapped[str]
    # Fractions of width and height, from the upper left.
    x: Mapped[float | None] = mapped_column(REAL)
    y: Mapped[float | None] = mapped_column(REAL)
    resolved_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
