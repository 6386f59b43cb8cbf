"""Lanes: who is served next (start-time fair queueing between organizations)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, OrganizationKey


class Lane(Base):
    """The tasks of one organization in one queue.

    ``vtime`` is the virtual time at which its next task starts: the work it has been given,
    divided by its weight. The awake lane with the lowest one is served next, so an organization
    never waits behind another's backlog (Goyal, Vin, Cheng: Start-time Fair Queueing, 1996).
    ``wake_at`` is when it may have a runnable task; ``infinity``: it has none, or its organization
    runs as many tasks as ``limited_to`` says.
    """

    __tablename__ = "lanes"
    __table_args__ = (
        Index(
            "ix_lanes_awake",
            "queue",
            "vtime",
            "organization_id",
            "wake_at",
            postgresql_where=text("wake_at < 'infinity'"),
        ),
        Index(
            "ix_lanes_limited",
            "organization_id",
            postgresql_where=text("limited_to IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.02"}},
    )

    queue: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationKey] = mapped_column(primary_key=True)
    vtime: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    wake_at: Mapped[datetime]
    # Its pending tasks, and what they cost together; kept by triggers and by the claim.
    pending: Mapped[int] = mapped_column(server_default=text("0"))
    pending_cost: Mapped[float] = mapped_column(DOUBLE_PRECISION, server_default=text("0"))
    # Tasks that the organization may run at once, and ran when the lane was put to sleep for it.
    limited_to: Mapped[int | None]


class QueueClock(Base):
    """Virtual time of a queue: where the last claimed task started, and where a lane that comes
    back from idling starts: with the first of those that run. So it has no credit from the time it
    did not use, and is not behind those whose batch happens to run."""

    __tablename__ = "queue_clocks"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    queue: Mapped[str] = mapped_column(primary_key=True)
    vtime: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    # Where lanes resumed when the last claim was over; see db/migrations/sql/0015/queue_clock.sql.
    resumed_at: Mapped[float] = mapped_column(DOUBLE_PRECISION, server_default=text("0"))
    # Units of work that its replicas hold at once, as a runner saw it last; None: none has looked.
    capacity: Mapped[int | None]
