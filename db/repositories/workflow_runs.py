"""What moves workflows on: they are locked, looked at as a whole, and changed.

This is the platform's own view, over all organizations; every row carries its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Text, TextClause, any_, cast, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from db import queries
from db.ids import new_workflow_id
from db.models import (
    OnFailure,
    StepStatus,
    Task,
    Workflow,
    WorkflowStatus,
    WorkflowStep,
    WorkflowTask,
)
from db.repositories.queue import TaskQueue
from db.repositories.scope import OrganizationScope
from db.repositories.workflow_rows import (
    ENDS,
    LockedStep,
    LockedWorkflow,
    Placed,
    Run,
    StepTask,
)
from db.session import ReadSession, WriteSession

_ENDED = (StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.CANCELLED)
_WITHOUT_RESULT = (StepStatus.RUNNING, StepStatus.FAILED, StepStatus.CANCELLED)
_STOPPED = (WorkflowStatus.FAILED, WorkflowStatus.CANCELLED)
_AT_ONCE = 100
_OUTCOME = ("status", "error", "error_code", "started_at", "completed_at")
_NEW_WORKFLOW = ("id", "organization_id", "on_failure", "cache", "priority")
_NEW_STEP = (
    "workflow_id",
    "position",
    "organization_id",
    "name",
    "type",
    "config",
    "depends_on",
    "input_mappings",
)
_NOTHING_YET: dict[str, Any] = {
    "error": None,
    "error_code": None,
    "started_at": None,
    "completed_at": None,
}
_OF_WORKFLOW = ("id", "input", *_OUTCOME)
_OF_STEP = ("workflow_id", "position", "plan", "output", "fingerprint", "reused", *_OUTCOME)


class WorkflowRuns:
    """Workflows on the move, within one transaction.

    Rows are locked in one order by everybody: tasks, then workflows by their ids, then lanes, and
    the cursors of the event log at the commit.
    """

    def __init__(self, session: WriteSession) -> None:
        self._session = session
        # What the database has of what was locked.
        self._before: dict[Any, dict[str, Any]] = {}

    async def of_tasks(self, task_ids: Collection[str]) -> Sequence[str]:
        """The workflows of those of the tasks whose outcome they do not know yet, by their ids."""
        found = await self._session.scalars(
            select(WorkflowTask.workflow_id)
            .where(_among(WorkflowTask.task_id, task_ids), WorkflowTask.settled_at.is_(None))
            .distinct()
        )
        return sorted(found)

    async def lock(
        self, workflow_ids: Collection[str], *, organization_id: UUID | None = None
    ) -> list[Run]:
        """Lock workflows, of one organization or of any, and read all that moves them on."""
        query = select(*_columns(Workflow, LockedWorkflow)).where(_among(Workflow.id, workflow_ids))
        if organization_id is not None:
            query = query.where(Workflow.organization_id == organization_id)
        locked = await self._session.execute(query.order_by(Workflow.id).with_for_update())
        workflows = [LockedWorkflow(*row) for row in locked]
        ids = [workflow.id for workflow in workflows]
        found = await self._session.execute(
            select(*_columns(WorkflowStep, LockedStep))
            .where(_among(WorkflowStep.workflow_id, ids))
            .order_by(WorkflowStep.workflow_id, WorkflowStep.position)
        )
        steps = defaultdict(list)
        for row in found:
            step = LockedStep(*row)
            steps[step.workflow_id].append(step)
        tasks = await self._tasks(ids)
        runs = [Run(one, steps[one.id], tasks[one.id]) for one in workflows]
        for run in runs:
            self._remember(run)
        return runs

    async def add(
        self,
        scope: OrganizationScope,
        steps: Sequence[Mapping[str, Any]],
        *,
        name: str,
        on_failure: OnFailure = OnFailure.PAUSE,
        cache: bool = False,
        priority: int = 0,
        requested_by: UUID | None = None,
    ) -> Run:
        """A new workflow. Nobody else sees it before the commit, so it is as if locked.

        Args:
            scope: whose it is.
            steps: by position, ``name``, ``type``, ``config``, ``depends_on`` and
                ``input_mappings`` of each.
            name, on_failure, cache, priority, requested_by: see `db.models.Workflow`.
        """
        workflow = LockedWorkflow(
            id=new_workflow_id(),
            organization_id=scope.organization_id,
            on_failure=on_failure,
            cache=cache,
            priority=priority,
            status=WorkflowStatus.CREATED,
            input={},
            **_NOTHING_YET,
        )
        run = Run(workflow, [_new(workflow, *one) for one in enumerate(steps)], {})
        await self._session.execute(
            insert(Workflow),
            [
                {
                    **{column: getattr(workflow, column) for column in _NEW_WORKFLOW},
                    "name": name,
                    "requested_by": requested_by,
                }
            ],
        )
        await self._session.execute(
            insert(WorkflowStep),
            [{column: getattr(step, column) for column in _NEW_STEP} for step in run.steps],
        )
        self._remember(run)
        return run

    def _remember(self, run: Run) -> None:
        self._before[run.workflow.id] = _changeable(run.workflow)
        for step in run.steps:
            self._before[step.workflow_id, step.position] = _changeable(step)

    async def save(self, runs: Sequence[Run]) -> None:
        """Write what was changed, in the order of the log: that a workflow goes on, steps that have
        ended, those that have begun, that a workflow does not go on."""
        steps = [
            _changeable(step)
            for run in runs
            for step in run.steps
            if _changeable(step) != self._before[step.workflow_id, step.position]
        ]
        workflows = [
            _changeable(run.workflow)
            for run in runs
            if _changeable(run.workflow) != self._before[run.workflow.id]
        ]
        going_on = [one for one in workflows if one["status"] is WorkflowStatus.RUNNING]
        await self._write(queries.SAVE_WORKFLOWS, going_on)
        ended = [one for one in steps if one["status"] in _ENDED]
        await self._write(queries.SAVE_STEPS, ended)
        await self._write(queries.SAVE_STEPS, [one for one in steps if one not in ended])
        await self._write(queries.SAVE_WORKFLOWS, [one for one in workflows if one not in going_on])

    async def _write(self, statement: TextClause, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            await self._session.execute(statement, {"rows": orjson.dumps(rows).decode()})

    async def _tasks(
        self, workflow_ids: Collection[str]
    ) -> defaultdict[str, dict[int, dict[int, StepTask]]]:
        rows = await self._session.execute(
            select(
                WorkflowTask.workflow_id,
                WorkflowTask.position,
                Task.id,
                WorkflowTask.index,
                Task.status,
                Task.output,
                Task.error,
                Task.error_code,
            )
            .join(Task, Task.id == WorkflowTask.task_id)
            .join(
                WorkflowStep,
                (WorkflowStep.workflow_id == WorkflowTask.workflow_id)
                & (WorkflowStep.position == WorkflowTask.position),
            )
            .where(
                _among(WorkflowTask.workflow_id, workflow_ids),
                WorkflowStep.status.in_(_WITHOUT_RESULT),
            )
            # Later ones of an index replace those before.
            .order_by(WorkflowTask.created_at, WorkflowTask.task_id)
        )
        tasks: defaultdict[str, dict[int, dict[int, StepTask]]] = defaultdict(dict)
        for workflow_id, position, *facts in rows:
            task = StepTask(*facts)
            tasks[workflow_id].setdefault(position, {})[task.index] = task
        return tasks

    async def settle(self, task_ids: Collection[str]) -> None:
        """The outcome of those of the tasks that have ended is known."""
        if not task_ids:
            return
        await self._session.execute(
            update(WorkflowTask)
            .where(
                _among(WorkflowTask.task_id, task_ids),
                WorkflowTask.settled_at.is_(None),
                Task.id == WorkflowTask.task_id,
                Task.status.in_(ENDS),
            )
            .values(settled_at=func.now()),
            execution_options={"synchronize_session": False},
        )

    async def place(self, tasks: Sequence[Placed]) -> None:
        """Queue tasks of steps."""
        if not tasks:
            return
        await TaskQueue(self._session).enqueue_all(
            [(OrganizationScope(one.step.organization_id), one.task) for one in tasks]
        )
        rows = [
            {
                "task_id": one.task.id,
                "organization_id": one.step.organization_id,
                "workflow_id": one.step.workflow_id,
                "position": one.step.position,
                "index": one.index,
            }
            for one in tasks
        ]
        await self._session.execute(insert(WorkflowTask), rows)

    async def twin(self, step: LockedStep) -> dict[str, Any] | None:
        """The output of a completed step of the organization with the same fingerprint, which is
        kept until this transaction ends; None: there is none."""
        output: dict[str, Any] | None = await self._session.scalar(
            select(WorkflowStep.output)
            .where(
                WorkflowStep.organization_id == step.organization_id,
                WorkflowStep.fingerprint == step.fingerprint,
                WorkflowStep.status == StepStatus.COMPLETED,
                WorkflowStep.cleaned_at.is_(None),
            )
            .order_by(WorkflowStep.workflow_id.desc())
            .limit(1)
            # A cleanup locks what it is about to remove.
            .with_for_update(read=True, skip_locked=True)
        )
        return output

    async def lock_steps(self, workflow_id: str) -> Sequence[WorkflowStep]:
        """The steps of a workflow, which nobody takes results from until this transaction ends."""
        found = await self._session.scalars(
            select(WorkflowStep)
            .where(WorkflowStep.workflow_id == workflow_id)
            .order_by(WorkflowStep.position)
            .with_for_update(),
            execution_options={"populate_existing": True},
        )
        return found.all()

    async def outputs_like(self, steps: Sequence[WorkflowStep]) -> Sequence[dict[str, Any]]:
        """The outputs of other workflows' steps that may be the same objects as those of
        ``steps``: of the same organization, with a fingerprint among theirs."""
        prints = [step.fingerprint for step in steps if step.fingerprint is not None]
        if not prints:
            return []
        found = await self._session.scalars(
            select(WorkflowStep.output).where(
                WorkflowStep.organization_id == steps[0].organization_id,
                WorkflowStep.workflow_id != steps[0].workflow_id,
                _among(WorkflowStep.fingerprint, prints),
                WorkflowStep.status == StepStatus.COMPLETED,
                WorkflowStep.cleaned_at.is_(None),
            )
        )
        return [output for output in found if output is not None]


def _new(workflow: LockedWorkflow, position: int, step: Mapping[str, Any]) -> LockedStep:
    return LockedStep(
        workflow_id=workflow.id,
        organization_id=workflow.organization_id,
        position=position,
        plan=None,
        status=StepStatus.PENDING,
        output=None,
        fingerprint=None,
        reused=False,
        **step,
        **_NOTHING_YET,
    )


async def unsettled(session: ReadSession) -> Sequence[str]:
    """Tasks that have ended, whose workflows do not know it, and tasks that go on though their
    workflow has been stopped; in the order in which they were queued."""
    found = await session.scalars(
        select(WorkflowTask.task_id)
        .join(Task, Task.id == WorkflowTask.task_id)
        .join(Workflow, Workflow.id == WorkflowTask.workflow_id)
        .where(
            WorkflowTask.settled_at.is_(None),
            Task.status.in_(ENDS) | Workflow.status.in_(_STOPPED),
        )
        .order_by(WorkflowTask.task_id)
        .limit(_AT_ONCE)
    )
    return found.all()


def now() -> datetime:
    """The time of a change of state."""
    return datetime.now(UTC)


def _columns(table: type[Workflow | WorkflowStep], row: type[Any]) -> list[Any]:
    return [getattr(table, name) for name in row.__dataclass_fields__]


def _changeable(row: LockedWorkflow | LockedStep) -> dict[str, Any]:
    """The columns of a row that change, with its key."""
    names = _OF_STEP if isinstance(row, LockedStep) else _OF_WORKFLOW
    return {name: getattr(row, name) for name in names}


def _among(column: Any, values: Collection[str]) -> Any:
    """Whether a text is one of some, as one parameter however many they are."""
    return column == any_(cast(list(values), ARRAY(Text)))
