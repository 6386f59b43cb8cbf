"""Calls to hosted providers: what was sent for which task, and how the provider does."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, text_enum


class HostedState(StrEnum):
    """States of a call.

    ``submitting`` is written before the first byte leaves. A call that is found in it by a later
    attempt may or may not have reached the provider: nobody can tell, so it is not sent again.
    """

    SUBMITTING = "submitting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class HostedCall(Base):
    """One call of a task to a provider. It outlives the attempt that made it, and the next one
    takes it up again by the provider's own id of the job."""

    __tablename__ = "hosted_calls"
    __table_args__ = (
        CheckConstraint("state <> 'running' OR job_id IS NOT NULL", name="job_id_while_running"),
        Index(
            "ix_hosted_calls_open",
            "task_id",
            postgresql_where=text("state IN ('submitting', 'running')"),
        ),
        Index(None, "organization_id", "created_at"),
    )

    task_id: Mapped[str] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    # Which of the task's calls.
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    organization_id: Mapped[OrganizationKey]
    provider: Mapped[str]
    # The provider's name of the model.
    endpoint: Mapped[str]
    state: Mapped[HostedState] = mapped_column(text_enum(HostedState, "state"))
    # The provider's id of the job, where it has jobs.
    job_id: Mapped[str | None]
    # How often something was sent for it: once, and once more after each failure that was told.
    submissions: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    # The answer, where the provider does not keep it for a second look.
    answer: Mapped[dict[str, Any] | None]
    # Tokens, images and seconds that the provider counted.
    usage: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    cost_usd: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class ProviderCircuit(Base):
    """How a provider does, as all processes see it. While ``open_until`` lies ahead nothing is sent
    to it; after that one call goes first and decides."""

    __tablename__ = "provider_circuits"

    provider: Mapped[str] = mapped_column(primary_key=True)
    # Failures in a row.
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    open_until: Mapped[datetime | None]
    # Code and text of the last failure.
    reason: Mapped[str | None]
    updated_at: Mapped[UpdatedAt]
