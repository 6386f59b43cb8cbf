"""Subjects: the identities that wear the products."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey, text_enum
from db.models.media import Media


class SubjectKind(StrEnum):
    """Whether the person exists."""

    AI = "ai"
    REAL = "real"


class AgeClass(StrEnum):
    """How old a subject looks."""

    KID = "kid"
    TEEN = "teen"
    YOUNG = "young"
    MIDDLE_AGE = "middle_age"
    ELDER = "elder"


class Subject(Base):
    """An AI model identity."""

    __tablename__ = "subjects"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(None, "lora_id"),
        Index(None, "training_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    name: Mapped[str]
    kind: Mapped[SubjectKind] = mapped_column(
        text_enum(SubjectKind, "kind"), server_default=SubjectKind.AI.value
    )
    description: Mapped[str | None]
    gender: Mapped[str | None]
    age_class: Mapped[AgeClass | None] = mapped_column(text_enum(AgeClass, "age_class"))
    body_type: Mapped[str | None]
    skin_tone: Mapped[str | None]
    hair: Mapped[str | None]
    eye_color: Mapped[str | None]
    # The adapter that its images are made with.
    lora_id: Mapped[UUID | None] = mapped_column(ForeignKey("adapters.id"))
    # The last training of it.
    training_id: Mapped[str | None] = mapped_column(
        Text(collation="C"), ForeignKey("trainings.task_id", ondelete="SET NULL")
    )
    archived_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    images: Mapped[list[SubjectImage]] = relationship(
        lazy="raise",
        order_by="(SubjectImage.position, SubjectImage.id)",
        viewonly=True,
    )


class SubjectImage(Base):
    """A picture of a subject: the cover, or the base image of a shot type."""

    __tablename__ = "subject_images"
    __table_args__ = (
        Index(None, "subject_id", "position"),
        Index(None, "media_id"),
        Index(None, "shot_type_id"),
        UniqueConstraint("subject_id", "media_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"))
    media_id: Mapped[UUID] = mapped_column(ForeignKey("media.id"))
    shot_type_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("shot_types.id", ondelete="SET NULL")
    )
    is_cover: Mapped[bool] = mapped_column(server_default=text("false"))
    position: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]

    media: Mapped[Media] = relationship(lazy="raise", viewonly=True)
