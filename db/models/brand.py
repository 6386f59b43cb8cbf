"""Brands: whose products are photographed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey


class Brand(Base):
    """A label of an organization."""

    __tablename__ = "brands"
    __table_args__ = (Index(None, "organization_id", text("id DESC")),)

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    name: Mapped[str]
    description: Mapped[str | None]
    website: Mapped[str | None]
    archived_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
