"""Shootings, and the looks that are shot in them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey, text_enum
from db.models.shot import Shot


class ShootingPhase(StrEnum):
    """How far the work with the brand is."""

    BRIEF = "brief"
    TEST_SHOOTING = "test_shooting"
    PRODUCTS_SELECTION = "products_selection"
    AGREEMENT = "agreement"
    PRODUCTION = "production"
    CLOSED = "closed"


class FileFormat(StrEnum):
    """Of the deliverables."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


class Shooting(Base):
    """A session that makes the pictures of a collection."""

    __tablename__ = "shootings"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(None, "brand_id"),
        Index(None, "guideline_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    brand_id: Mapped[UUID] = mapped_column(ForeignKey("brands.id"))
    # Of looks that name none of their own.
    guideline_id: Mapped[UUID | None] = mapped_column(ForeignKey("guidelines.id"))
    name: Mapped[str]
    description: Mapped[str | None]
    season: Mapped[str | None]
    collection: Mapped[str | None]
    due_date: Mapped[date | None]
    phase: Mapped[ShootingPhase] = mapped_column(
        text_enum(ShootingPhase, "phase"), server_default=ShootingPhase.BRIEF.value
    )
    archived_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Look(Base):
    """Products on a subject in a style; it makes one shot for each of its shot types."""

    __tablename__ = "looks"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(None, "shooting_id"),
        Index(None, "main_product_id"),
        Index(None, "subject_id"),
        Index(None, "style_id"),
        Index(None, "guideline_id"),
        Index(None, "resolution_preset_id"),
        Index(None, "background_preset_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    shooting_id: Mapped[UUID] = mapped_column(ForeignKey("shootings.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    main_product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subjects.id"))
    style_id: Mapped[UUID | None] = mapped_column(ForeignKey("styles.id"))
    guideline_id: Mapped[UUID | None] = mapped_column(ForeignKey("guidelines.id"))
    resolution_preset_id: Mapped[UUID | None] = mapped_column(ForeignKey("resolution_presets.id"))
    background_preset_id: Mapped[UUID | None] = mapped_column(ForeignKey("background_presets.id"))
    outfit_instructions: Mapped[str | None]
    file_format: Mapped[FileFormat] = mapped_column(
        text_enum(FileFormat, "file_format"), server_default=FileFormat.JPEG.value
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    shots: Mapped[list[Shot]] = relationship(
        lazy="raise", order_by="(Shot.position, Shot.id)", viewonly=True
    )
    products: Mapped[list[LookProduct]] = relationship(
        lazy="raise", order_by="LookProduct.position", viewonly=True
    )


class LookProduct(Base):
    """A further product of a look."""

    __tablename__ = "look_products"
    __table_args__ = (Index(None, "product_id"), Index(None, "organization_id"))

    look_id: Mapped[UUID] = mapped_column(
        ForeignKey("looks.id", ondelete="CASCADE"), primary_key=True
    )
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"), primary_key=True)
    organization_id: Mapped[OrganizationKey]
    position: Mapped[int] = mapped_column(server_default=text("0"))
