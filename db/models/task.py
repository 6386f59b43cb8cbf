"""Tasks: the unit of work, and the row that the queue is made of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, SmallInteger, Text, func, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, REAL
from sqlalchemy.orm import Mapped, mapped_column

from db.ids import new_task_id
from db.models.base import Base, CreatedAt, OrganizationKey, text_enum


class TaskStatus(StrEnum):
    """States of a task; the last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether a task in this state never changes again."""
        return self not in (TaskStatus.PENDING, TaskStatus.RUNNING)


class Task(Base):
    """One piece of work for a model deployment.

    Triggers keep two promises that no caller can forget: a task that becomes pending wakes its
    lane (`lanes`), and every change of ``status`` appends one event (`events`).
    """

    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
        CheckConstraint("cost > 0", name="cost"),
        CheckConstraint("attempt >= 0 AND max_attempts > 0", name="attempts"),
        CheckConstraint(
            "(status = 'running') = (lease_expires_at IS NOT NULL)", name="lease_while_running"
        ),
        CheckConstraint(
            "(status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)",
            name="completed_at_when_final",
        ),
        CheckConstraint("status <> 'completed' OR output IS NOT NULL", name="output"),
        # The claim: the first row of a lane. `available_at` is last, so that waiting rows are
        # passed over inside the index.
        Index(
            "ix_tasks_claim",
            "queue",
            "organization_id",
            text("priority DESC"),
            "created_at",
            "id",
            "available_at",
            postgresql_where=text("status = 'pending'"),
        ),
        # When a lane has work again.
        Index(
            "ix_tasks_wake",
            "queue",
            "organization_id",
            "available_at",
            postgresql_where=text("status = 'pending'"),
        ),
        # Capacity and expired leases. The lease is not in it: heartbeats stay heap-only updates.
        Index("ix_tasks_running", "queue", postgresql_where=text("status = 'running'")),
        # How many an organization runs at once.
        Index(
            "ix_tasks_running_organization",
            "organization_id",
            postgresql_where=text("status = 'running'"),
        ),
        Index("ix_tasks_list", "organization_id", text("id DESC")),
        # What ended within a time, for figures.
        Index(
            "ix_tasks_ended",
            "completed_at",
            "organization_id",
            postgresql_where=text("completed_at IS NOT NULL"),
        ),
        {
            "postgresql_with": {
                "fillfactor": "80",
                "autovacuum_vacuum_scale_factor": "0.02",
                "autovacuum_analyze_scale_factor": "0.05",
            }
        },
    )

    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True, default=new_task_id)
    organization_id: Mapped[OrganizationKey]
    type: Mapped[str]
    queue: Mapped[str]
    status: Mapped[TaskStatus] = mapped_column(
        text_enum(TaskStatus, "status"), server_default=TaskStatus.PENDING.value
    )
    # Higher runs first, among the tasks of one organization.
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    # Units of work; fairness between organizations counts these.
    cost: Mapped[float] = mapped_column(REAL, server_default=text("1"))
    # What a replica should have loaded to run this quickly, such as a set of LoRAs.
    affinity: Mapped[str | None]
    config: Mapped[dict[str, Any]]
    output: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    progress: Mapped[float] = mapped_column(REAL, server_default=text("0"))
    # Grows with every claim: the fencing token of the runner that holds the task.
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    # Failures (not claims) after which the task is given up.
    max_attempts: Mapped[int] = mapped_column(server_default=text("3"))
    # Every failure so far: {attempt, at, code, reason, runner}.
    failures: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    # What its attempts did when; see `db.timeline`.
    timeline: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb"), deferred=True, deferred_raiseload=True
    )
    # The request that brought it about; see `telemetry.context`.
    origin: Mapped[dict[str, Any] | None] = mapped_column(deferred=True, deferred_raiseload=True)
    # Where its lane stood when it was begun last; see docs/decisions/0003.
    vtime: Mapped[float | None] = mapped_column(DOUBLE_PRECISION)
    runner_id: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    available_at: Mapped[CreatedAt]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
