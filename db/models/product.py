"""Products: what is photographed, and the pictures of it that the brand took."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey, text_enum
from db.models.media import Media


class ProductFamily(StrEnum):
    """The broadest division of a catalog."""

    APPAREL = "apparel"
    FOOTWEAR = "footwear"
    ACCESSORIES = "accessories"
    BEAUTY = "beauty"


class ProductImageType(StrEnum):
    """What a product picture shows; ``primary`` is the cover."""

    PRIMARY = "primary"
    BACK = "back"
    SIDE = "side"
    DETAIL = "detail"
    OTHER = "other"


class Product(Base):
    """An article of the catalog."""

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("organization_id", "sku"),
        Index(None, "organization_id", text("id DESC")),
        Index(None, "brand_id"),
        Index(None, "lora_id"),
        Index(None, "training_id"),
        Index(None, "caption_task_id", postgresql_where=text("caption_task_id IS NOT NULL")),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    brand_id: Mapped[UUID | None] = mapped_column(ForeignKey("brands.id"))
    name: Mapped[str]
    # Stock keeping unit: the brand's own number.
    sku: Mapped[str]
    family: Mapped[ProductFamily] = mapped_column(
        text_enum(ProductFamily, "family"), server_default=ProductFamily.APPAREL.value
    )
    category: Mapped[str | None]
    gender: Mapped[str | None]
    color: Mapped[str | None]
    materials: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    description: Mapped[str | None]
    # What the pictures show, in words; the prompt begins with it.
    caption: Mapped[str | None]
    # The task that is to write it; None: none is.
    caption_task_id: Mapped[str | None] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="SET NULL")
    )
    # The adapter that its images are made with.
    lora_id: Mapped[UUID | None] = mapped_column(ForeignKey("adapters.id"))
    # The last training of it.
    training_id: Mapped[str | None] = mapped_column(
        Text(collation="C"), ForeignKey("trainings.task_id", ondelete="SET NULL")
    )
    archived_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    images: Mapped[list[ProductImage]] = relationship(
        lazy="raise",
        order_by="(ProductImage.position, ProductImage.id)",
        viewonly=True,
    )


class ProductImage(Base):
    """A picture of a product."""

    __tablename__ = "product_images"
    __table_args__ = (
        Index(None, "product_id", "position"),
        Index(None, "media_id"),
        UniqueConstraint("product_id", "media_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    media_id: Mapped[UUID] = mapped_column(ForeignKey("media.id"))
    type: Mapped[ProductImageType] = mapped_column(text_enum(ProductImageType, "type"))
    position: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]

    media: Mapped[Media] = relationship(lazy="raise", viewonly=True)
