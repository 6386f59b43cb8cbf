"""Exports: approved images as one file to deliver."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey


class Export(Base):
    """A ZIP of a shooting's approved images; the task that makes it says how far it is."""

    __tablename__ = "exports"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(None, "shooting_id"),
        Index(None, "task_id", unique=True),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    shooting_id: Mapped[UUID] = mapped_column(ForeignKey("shootings.id", ondelete="CASCADE"))
    task_id: Mapped[str] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="CASCADE")
    )
    # As requested: format, names, layouts.
    options: Mapped[dict[str, Any]]
    # The predictions in it.
    prediction_ids: Mapped[list[str]]
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
