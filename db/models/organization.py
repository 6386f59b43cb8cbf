"""Organizations, and the API keys by which their programs come in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, OrganizationKey, UuidKey


class Organization(Base):
    """A tenant: everything that is private belongs to one."""

    __tablename__ = "organizations"
    __table_args__ = (
        CheckConstraint("weight > 0", name="weight"),
        CheckConstraint("fallback_after_seconds > 0", name="fallback_after_seconds"),
    )

    id: Mapped[UuidKey]
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    # Share of a contended queue, relative to the others'.
    weight: Mapped[float] = mapped_column(REAL, server_default=text("1"))
    # Plan whose limits it has; None: that of its subscription.
    tier: Mapped[str | None]
    # Catalog entry that makes the images which another model fails at, or has not begun with after
    # that many seconds; None: nothing does, or only failures count.
    fallback_model: Mapped[str | None]
    fallback_after_seconds: Mapped[int | None]
    created_at: Mapped[CreatedAt]


class ApiKey(Base):
    """A bearer key. Only the SHA-256 of it is kept: the key is random, so no salt is needed."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "organization_id"),)

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    name: Mapped[str]
    # First characters of the key, to tell keys apart in a list.
    prefix: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    organization: Mapped[Organization] = relationship(lazy="raise")
