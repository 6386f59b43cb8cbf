"""Subscriptions, and the credits that images cost."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, UuidKey, text_enum


class CreditReason(StrEnum):
    """Why credits changed."""

    GENERATION = "generation"
    REFUND = "refund"
    RENEWAL = "renewal"
    GRANT = "grant"


class Subscription(Base):
    """An organization's plan in its current period."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("credits_remaining >= 0", name="credits_remaining"),
        CheckConstraint("period_end > period_start", name="period"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey] = mapped_column(unique=True)
    # Name of a tier in ``configs/plans.yaml``.
    tier: Mapped[str]
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    # Given at each renewal, and left of them.
    credits_per_period: Mapped[int]
    credits_remaining: Mapped[int]
    auto_renew: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class CreditEntry(Base):
    """One change of an organization's credits; the log never changes."""

    __tablename__ = "credit_entries"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(None, "generation_id"),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    generation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("generations.id", ondelete="SET NULL")
    )
    reason: Mapped[CreditReason] = mapped_column(text_enum(CreditReason, "reason"))
    # Negative: spent.
    amount: Mapped[int]
    # What was left after it.
    balance: Mapped[int]
    created_at: Mapped[CreatedAt]
