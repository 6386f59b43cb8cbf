"""How pictures should look: styles, and the guidelines of a brand."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey


class Style(Base):
    """Visual aesthetics."""

    __tablename__ = "styles"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(None, "lora_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    name: Mapped[str]
    description: Mapped[str | None]
    lighting: Mapped[str | None]
    tone: Mapped[str | None]
    palette: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    prompt: Mapped[str | None]
    negative_prompt: Mapped[str | None]
    # The adapter that its images are made with.
    lora_id: Mapped[UUID | None] = mapped_column(ForeignKey("adapters.id"))
    archived_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Guideline(Base):
    """A brand's rules for its pictures."""

    __tablename__ = "guidelines"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(None, "brand_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    brand_id: Mapped[UUID | None] = mapped_column(ForeignKey("brands.id"))
    name: Mapped[str]
    description: Mapped[str | None]
    # Hold for every shot; a rule adds to them.
    prompt: Mapped[str | None]
    negative_prompt: Mapped[str | None]
    archived_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    rules: Mapped[list[GuidelineRule]] = relationship(
        lazy="raise", order_by="GuidelineRule.id", viewonly=True
    )


class GuidelineRule(Base):
    """What guidelines add for one shot type."""

    __tablename__ = "guideline_rules"
    __table_args__ = (
        UniqueConstraint("guideline_id", "shot_type_id"),
        Index(None, "shot_type_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    guideline_id: Mapped[UUID] = mapped_column(ForeignKey("guidelines.id", ondelete="CASCADE"))
    shot_type_id: Mapped[UUID] = mapped_column(ForeignKey("shot_types.id", ondelete="CASCADE"))
    prompt: Mapped[str | None]
    negative_prompt: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
