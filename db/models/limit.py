"""Limits of plans, and how much of them has been used."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, OrganizationKey


class PlanLimit(Base):
    """What the claim must know of a tier in ``configs/plans.yaml``; written at every start."""

    __tablename__ = "plans"

    tier: Mapped[str] = mapped_column(primary_key=True)
    # Of organizations that have no other.
    is_default: Mapped[bool]
    # None: any number.
    concurrent_tasks: Mapped[int | None]


class RateLimit(Base):
    """How much of one rate limit is used up; see ``take_permits``."""

    __tablename__ = "rate_limits"
    __table_args__ = (
        {"postgresql_with": {"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.02"}},
    )

    # An organization, or a user.
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    bucket: Mapped[str] = mapped_column(primary_key=True)
    # Theoretical arrival time of the next request, in seconds since 1970.
    arrival: Mapped[float] = mapped_column(DOUBLE_PRECISION)


class DailyTasks(Base):
    """How many tasks an organization has asked for on its last day (UTC) that had any."""

    __tablename__ = "daily_tasks"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    organization_id: Mapped[OrganizationKey] = mapped_column(primary_key=True)
    day: Mapped[date]
    tasks: Mapped[int]
