"""The event log: one ordered list without gaps for each organization."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, OrganizationKey


class EventKind(StrEnum):
    """What happened to the subject."""

    TASK_CREATED = "task.created"
    TASK_RUNNING = "task.running"
    TASK_RETRYING = "task.retrying"
    TASK_COMPLETED = "task.completed"
    TASK_FAILED = "task.failed"
    TASK_CANCELLED = "task.cancelled"
    SHOT_APPROVED = "shot.approved"
    SHOT_REJECTED = "shot.rejected"
    SHOT_REVISION_REQUESTED = "shot.revision_requested"
    SHOT_UNAPPROVED = "shot.unapproved"
    PREDICTION_SELECTED = "prediction.selected"
    PREDICTION_REJECTED = "prediction.rejected"
    GENERATION_CREATED = "generation.created"
    GENERATION_COMPLETED = "generation.completed"
    GENERATION_FAILED = "generation.failed"
    GENERATION_CANCELLED = "generation.cancelled"
    WORKFLOW_CREATED = "workflow.created"
    WORKFLOW_STARTED = "workflow.started"
    WORKFLOW_PAUSED = "workflow.paused"
    WORKFLOW_RESUMED = "workflow.resumed"
    WORKFLOW_COMPLETED = "workflow.completed"
    WORKFLOW_FAILED = "workflow.failed"
    WORKFLOW_CANCELLED = "workflow.cancelled"
    WORKFLOW_CLEANED = "workflow.cleaned"
    WORKFLOW_STEP_RUNNING = "workflow.step_running"
    WORKFLOW_STEP_WAITING = "workflow.step_waiting"
    WORKFLOW_STEP_COMPLETED = "workflow.step_completed"
    WORKFLOW_STEP_FAILED = "workflow.step_failed"
    WORKFLOW_STEP_CANCELLED = "workflow.step_cancelled"
    WEBHOOK_DISABLED = "webhook.disabled"


class Event(Base):
    """One state change. ``seq`` counts from 1 without gaps within the organization, in the order
    of the commits; it is allocated at the end of the transaction that made the change."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "organization_id", "subject_id", "seq"),)

    organization_id: Mapped[OrganizationKey] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    # Id of what the event is about, such as ``task_…``.
    subject_id: Mapped[str]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EventCursor(Base):
    """The last ``seq`` of an organization. Its row lock puts its commits in order."""

    __tablename__ = "event_cursors"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    organization_id: Mapped[OrganizationKey] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
