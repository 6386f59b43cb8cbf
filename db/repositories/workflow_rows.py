"""Workflows as what moves them on sees them: values, which are written when all is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from db.models import OnFailure, StepStatus, TaskStatus, WorkflowStatus
from db.repositories.queue import NewTask

# States in which a task stays.
ENDS: Final = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)


@dataclass(slots=True)
class LockedWorkflow:
    """What of a workflow moves it on, and may be changed; see `db.models.Workflow`."""

    id: str
    organization_id: UUID
    on_failure: OnFailure
    cache: bool
    priority: int
    status: WorkflowStatus
    input: dict[str, Any]
    error: str | None
    error_code: str | None
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(slots=True)
class LockedStep:
    """What of a step moves its workflow on, and may be changed; see `db.models.WorkflowStep`."""

    workflow_id: str
    organization_id: UUID
    position: int
    name: str
    type: str
    config: dict[str, Any]
    depends_on: list[str]
    input_mappings: dict[str, str]
    plan: dict[str, Any] | None
    status: StepStatus
    output: dict[str, Any] | None
    error: str | None
    error_code: str | None
    fingerprint: str | None
    reused: bool
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class StepTask:
    """What has become of a task of a step."""

    task_id: str
    index: int
    status: TaskStatus
    output: dict[str, Any] | None
    error: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """A workflow that this transaction has locked, with its steps by position.

    ``tasks``: by position, of the steps that have been started and have no result yet, the last
    task of each index.
    """

    workflow: LockedWorkflow
    steps: Sequence[LockedStep]
    tasks: dict[int, dict[int, StepTask]]

    def open_tasks(self) -> list[str]:
        """Ids of the tasks that have not ended, in their order."""
        return sorted(
            task.task_id
            for tasks in self.tasks.values()
            for task in tasks.values()
            if task.status not in ENDS
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """A task to queue, and where it stands in its workflow."""

    step: LockedStep
    index: int
    task: NewTask
