"""Workflows: steps that depend on one another, each carried out by tasks of the queue."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.ids import new_workflow_id
from db.models.base import Base, CreatedAt, OrganizationKey, text_enum


class WorkflowStatus(StrEnum):
    """States of a workflow; the last three are final."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """States of a step. A failed one may be tried again; ``waiting`` is for a person."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class OnFailure(StrEnum):
    """What a failed step does to its workflow."""

    PAUSE = "pause"
    FAIL = "fail"


class Workflow(Base):
    """One pipeline, and how far it is. Whoever moves it on holds this row's lock.

    A trigger appends one event for every change of ``status``, here and of the steps.
    """

    __tablename__ = "workflows"
    __table_args__ = (
        Index(None, "organization_id", text("id DESC")),
        Index(
            "ix_workflows_open",
            "status",
            postgresql_where=text("status IN ('running', 'paused')"),
        ),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True, default=new_workflow_id)
    organization_id: Mapped[OrganizationKey]
    name: Mapped[str]
    status: Mapped[WorkflowStatus] = mapped_column(
        text_enum(WorkflowStatus, "status"), server_default=WorkflowStatus.CREATED.value
    )
    on_failure: Mapped[OnFailure] = mapped_column(
        text_enum(OnFailure, "on_failure"), server_default=OnFailure.PAUSE.value
    )
    # Whether its steps may take over what another workflow's made of the same.
    cache: Mapped[bool] = mapped_column(server_default=text("false"))
    # Of its tasks.
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    # What it was started with: values, and of pictures the stored objects.
    input: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    # Why it is paused or has failed.
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=func.clock_timestamp()
    )


class WorkflowStep(Base):
    """One step. ``position`` counts from 0 in an order in which what a step depends on comes
    before it."""

    __tablename__ = "workflow_steps"
    __table_args__ = (
        UniqueConstraint("workflow_id", "name"),
        # What may be reused.
        Index(
            "ix_workflow_steps_fingerprint",
            "organization_id",
            "fingerprint",
            postgresql_where=text(
                "fingerprint IS NOT NULL AND status = 'completed' AND cleaned_at IS NULL"
            ),
        ),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    workflow_id: Mapped[str] = mapped_column(
        Text(collation="C"), ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    organization_id: Mapped[OrganizationKey]
    name: Mapped[str]
    type: Mapped[str]
    # As the client gave them.
    config: Mapped[dict[str, Any]]
    depends_on: Mapped[list[str]]
    input_mappings: Mapped[dict[str, Any]]
    # What its tasks are made of: everything settled at the start that the config left open.
    plan: Mapped[dict[str, Any] | None]
    status: Mapped[StepStatus] = mapped_column(
        text_enum(StepStatus, "status"), server_default=StepStatus.PENDING.value
    )
    # {images: […]}, and what else a step of its type makes.
    output: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    # Of type, plan and inputs: equal ones make equal results.
    fingerprint: Mapped[str | None]
    # Its output is another workflow's.
    reused: Mapped[bool] = mapped_column(server_default=text("false"))
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    # When the objects of its output were removed.
    cleaned_at: Mapped[datetime | None]


class WorkflowTask(Base):
    """A task of a step: the ``index``-th of it. One that is tried again is another task."""

    __tablename__ = "workflow_tasks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workflow_id", "position"],
            ["workflow_steps.workflow_id", "workflow_steps.position"],
            ondelete="CASCADE",
        ),
        Index(None, "workflow_id", "position"),
        # Those whose outcome the workflow does not know yet.
        Index("ix_workflow_tasks_open", "task_id", postgresql_where=text("settled_at IS NULL")),
    )

    task_id: Mapped[str] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    organization_id: Mapped[OrganizationKey]
    workflow_id: Mapped[str] = mapped_column(Text(collation="C"))
    position: Mapped[int] = mapped_column(SmallInteger)
    index: Mapped[int] = mapped_column(SmallInteger)
    settled_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
