"""Workflows as their owner sees them. New ones, and what moves them on:
:mod:`db.repositories.workflow_runs`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import defer

from db.models import Task, TaskStatus, Workflow, WorkflowStatus, WorkflowStep, WorkflowTask
from db.repositories.scope import OrganizationScope, Page, fetch_page
from db.session import ReadSession


@dataclass(frozen=True, slots=True)
class StepTaskProgress:
    """A task of a step as it stands; ``index`` says which of the step's pieces of work it does.
    ``progress`` in [0, 1]."""

    workflow_id: str
    position: int
    index: int
    task_id: str
    status: TaskStatus
    progress: float


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """A workflow, its steps by position, and by position the tasks of these, oldest first."""

    workflow: Workflow
    steps: Sequence[WorkflowStep]
    tasks: Mapping[int, Sequence[StepTaskProgress]]


class WorkflowRepository:
    """One organization's workflows."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def get(self, workflow_id: str) -> WorkflowState | None:
        """The workflow; unknown and another tenant's are the same."""
        workflow = await self._session.scalar(
            select(Workflow).where(Workflow.id == workflow_id, self._is_own()),
            execution_options={"populate_existing": True},
        )
        if workflow is None:
            return None
        (state,) = await self._with_steps([workflow])
        return state

    async def list(
        self,
        *,
        page: int = 1,
        size: int = 20,
        statuses: Collection[WorkflowStatus] = (),
        q: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[WorkflowState]:
        """Newest first; empty filters filter nothing. ``q`` is looked for in the names."""
        query = select(Workflow).where(self._is_own())
        if statuses:
            query = query.where(Workflow.status.in_(statuses))
        if q:
            query = query.where(Workflow.name.icontains(q, autoescape=True))
        if created_after is not None:
            query = query.where(Workflow.created_at >= created_after)
        if created_before is not None:
            query = query.where(Workflow.created_at < created_before)
        found: Page[Workflow] = await fetch_page(
            self._session, query, page=page, size=size, order_by=Workflow.id.desc()
        )
        states = await self._with_steps(found.items)
        return Page([*states], found.total, found.page, found.size)

    async def _with_steps(self, workflows: Sequence[Workflow]) -> Sequence[WorkflowState]:
        ids = [workflow.id for workflow in workflows]
        steps = defaultdict(list)
        found = await self._session.scalars(
            select(WorkflowStep)
            .where(WorkflowStep.workflow_id.in_(ids), self._owns(WorkflowStep))
            .options(defer(WorkflowStep.plan, raiseload=True))
            .order_by(WorkflowStep.workflow_id, WorkflowStep.position),
            execution_options={"populate_existing": True},
        )
        for step in found:
            steps[step.workflow_id].append(step)
        tasks: dict[str, defaultdict[int, Any]] = {id_: defaultdict(list) for id_ in ids}
        rows = await self._session.execute(
            select(
                WorkflowTask.workflow_id,
                WorkflowTask.position,
                WorkflowTask.index,
                Task.id,
                Task.status,
                Task.progress,
            )
            .join(Task, Task.id == WorkflowTask.task_id)
            .where(WorkflowTask.workflow_id.in_(ids), self._owns(WorkflowTask))
            .order_by(WorkflowTask.task_id)
        )
        for row in rows:
            task = StepTaskProgress(*row)
            tasks[task.workflow_id][task.position].append(task)
        return [WorkflowState(one, steps[one.id], tasks[one.id]) for one in workflows]

    def _is_own(self) -> Any:
        return Workflow.organization_id == self._scope.organization_id

    def _owns(self, rows: type[WorkflowStep | WorkflowTask]) -> Any:
        return rows.organization_id == self._scope.organization_id
