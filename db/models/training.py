"""Trainings: what a task of that type is about, and what it has reached so far."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.orm import Mapped, mapped_column

from db.models.adapter import EntityType
from db.models.base import Base, CreatedAt, OrganizationKey, text_enum


class Training(Base):
    """A task that trains an adapter. What the task's attempts report is kept here and in the tables
    below, by step: a run is deterministic, so what an attempt does over it reports the same."""

    __tablename__ = "trainings"
    __table_args__ = (
        Index(None, "organization_id", text("task_id DESC")),
        # Those that run, and those still to be cleaned up after.
        Index("ix_trainings_open", "task_id", postgresql_where=text("closed_at IS NULL")),
    )

    task_id: Mapped[str] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    organization_id: Mapped[OrganizationKey]
    # Name of a catalog entry.
    base_model: Mapped[str]
    # Of the adapter that it makes.
    output_name: Mapped[str]
    entity_type: Mapped[EntityType] = mapped_column(text_enum(EntityType, "entity_type"))
    trigger_word: Mapped[str | None]
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    # What the run is at: preparing (start, load, encode, prior) or train.
    phase: Mapped[str | None]
    # The last one done; an attempt that resumes goes back to that of its checkpoint.
    step: Mapped[int | None]
    # Of the whole run: steps, epochs, images, validation_images, buckets, batch_size, accumulation.
    facts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    # When its adapter was made, and given to the subject or product that it was trained for.
    delivered_at: Mapped[datetime | None]
    # When it had ended, and what only it needed was removed.
    closed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


def _training_key() -> Any:
    return mapped_column(
        Text(collation="C"), ForeignKey("trainings.task_id", ondelete="CASCADE"), primary_key=True
    )


class TrainingInput(Base):
    """A picture of the studio that a training learns from; it is kept until the training ends."""

    __tablename__ = "training_inputs"
    __table_args__ = (Index(None, "media_id"),)

    task_id: Mapped[str] = _training_key()
    media_id: Mapped[UUID] = mapped_column(ForeignKey("media.id"), primary_key=True)


class TrainingStep(Base):
    """One optimizer step; ``step`` and ``epoch`` count from 1."""

    __tablename__ = "training_steps"

    task_id: Mapped[str] = _training_key()
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int]
    loss: Mapped[float] = mapped_column(Float(53))
    learning_rate: Mapped[float] = mapped_column(Float(53))
    images_per_second: Mapped[float] = mapped_column(REAL)
    eta_seconds: Mapped[float] = mapped_column(REAL)


class TrainingValidation(Base):
    """How good the adapter was after a step: see `training.contracts.Validation`."""

    __tablename__ = "training_validations"

    task_id: Mapped[str] = _training_key()
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    loss: Mapped[float | None] = mapped_column(Float(53))
    similarity: Mapped[float | None] = mapped_column(Float(53))
    # Better than all before.
    is_best: Mapped[bool]


class TrainingSample(Base):
    """A picture that the adapter made after a step; ``index`` is that of its prompt."""

    __tablename__ = "training_samples"

    task_id: Mapped[str] = _training_key()
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prompt: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    path: Mapped[str]
    content_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int]
    sha256: Mapped[str]


class TrainingCheckpoint(Base):
    """Everything that the next step depends on, as an object in storage; the last ones are kept
    for as long as the training runs."""

    __tablename__ = "training_checkpoints"

    task_id: Mapped[str] = _training_key()
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    created_at: Mapped[CreatedAt]
