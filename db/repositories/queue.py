"""The durable task queue: the only code that changes the state of a task.

What a runner reports is *fenced*: it carries the attempt that the claim returned and counts only
while that attempt runs, so a runner whose lease was lost changes nothing. The SQL is in
:mod:`db.queries`, the functions that it calls in ``db/migrations/sql``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Self
from uuid import UUID

import orjson
from sqlalchemy import RowMapping, TextClause, insert

from db import queries
from db.ids import new_task_id
from db.models import Task, TaskStatus
from db.repositories.scope import OrganizationScope
from db.repositories.tasks import TaskRepository
from db.session import WriteSession
from telemetry.context import origin

_NO_TIMELINE: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """What a client asks for; ``cost`` is in units of work."""

    type: str
    queue: str
    config: Mapping[str, Any]
    priority: int = 0
    cost: float = 1.0
    affinity: str | None = None
    max_attempts: int = 3
    id: str = field(default_factory=new_task_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedTask:
    """A task that this runner holds until its lease ends."""

    id: str
    organization_id: UUID
    type: str
    queue: str
    config: dict[str, Any]
    affinity: str | None
    priority: int
    cost: float
    attempt: int
    max_attempts: int
    failures: list[dict[str, Any]]
    origin: dict[str, str] | None
    lease_expires_at: datetime
    created_at: datetime
    claimed_at: datetime

    @classmethod
    def from_row(cls, row: RowMapping) -> Self:
        """From a row of ``tasks``."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    @property
    def failed_attempts(self) -> int:
        """Attempts that count against ``max_attempts`` (one handed back does not)."""
        return len(self.failures)


@dataclass(frozen=True, slots=True)
class Completion:
    """The result of an attempt, and what it did when (`Timeline.as_dict`)."""

    task_id: str
    attempt: int
    output: Mapping[str, Any]
    timeline: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: a stable ``code`` for programs, a ``reason`` for people."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """How far an attempt is, in [0, 1], and what it did so far (`Timeline.as_dict`)."""

    task_id: str
    attempt: int
    progress: float
    timeline: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The task after a request to cancel it; not ``changed``: it had already ended."""

    task: Task
    changed: bool


@dataclass(frozen=True, slots=True)
class ReapedTask:
    """A task taken back from a lost runner: ``pending`` again, or ``failed``."""

    id: str
    queue: str
    status: TaskStatus


class TaskQueue:
    """The queue within one transaction; nothing is visible, and nobody woken, before its commit."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def enqueue(self, scope: OrganizationScope, task: NewTask) -> Task:
        """Queue one task and return its row."""
        return (await self.enqueue_many(scope, [task]))[0]

    async def enqueue_many(self, scope: OrganizationScope, tasks: Sequence[NewTask]) -> list[Task]:
        """Queue tasks, in their order; at most some hundred at a time, as each one's event is
        appended at the commit."""
        returned = await self._session.scalars(
            insert(Task).returning(Task, sort_by_parameter_order=True),
            [_row(scope, task) for task in tasks],
        )
        return list(returned)

    async def enqueue_all(self, tasks: Sequence[tuple[OrganizationScope, NewTask]]) -> None:
        """As :meth:`enqueue_many`, for several organizations at once and without their rows."""
        if tasks:
            await self._session.execute(insert(Task), [_row(*one) for one in tasks])

    async def claim(
        self,
        queue: str,
        runner_id: str,
        *,
        capacity: int,
        limit: int,
        lease_seconds: float,
        affinity: Collection[str] = (),
        beyond: int = 0,
    ) -> list[ClaimedTask]:
        """Take up to ``limit`` tasks while what runs of the queue, over all runners, costs less
        than ``capacity``.

        Args:
            affinity: what a replica has loaded; such tasks go first among equals.
            beyond: as much more, for organizations whose own running tasks cost less than this.

        Commit at once: other claims of this queue wait for this transaction.
        """
        rows = await self._rows(
            queries.CLAIM,
            queue=queue,
            runner_id=runner_id,
            capacity=capacity,
            limit=limit,
            lease_seconds=lease_seconds,
            affinity=list(affinity),
            beyond=beyond,
        )
        return [ClaimedTask.from_row(row) for row in rows]

    async def heartbeat(
        self, runner_id: str, *, lease_seconds: float, held: Collection[tuple[str, int]]
    ) -> set[str]:
        """Extend the leases of ``held`` (task id, attempt) and return the ids that are still this
        runner's. The others were cancelled or given to somebody else: stop working on them."""
        rows = await self._rows(
            queries.HEARTBEAT,
            runner_id=runner_id,
            lease_seconds=lease_seconds,
            ids=[task_id for task_id, _ in held],
            attempts=[attempt for _, attempt in held],
        )
        return {row["id"] for row in rows}

    async def report_progress(self, runner_id: str, reports: Collection[ProgressReport]) -> None:
        """Store progress; it never goes backwards within an attempt."""
        await self._rows(
            queries.REPORT_PROGRESS,
            runner_id=runner_id,
            ids=[report.task_id for report in reports],
            attempts=[report.attempt for report in reports],
            progress=[report.progress for report in reports],
            timelines=[_json(report.timeline) for report in reports],
        )

    async def signal(self, payloads: Collection[str]) -> None:
        """Tell whoever watches, at the commit; each is less than 8000 bytes of JSON."""
        if payloads:
            await self._rows(queries.SIGNAL, payloads=list(payloads))

    async def settle_completed(
        self,
        task_id: str,
        attempt: int,
        output: Mapping[str, Any],
        timeline: Mapping[str, Any] = _NO_TIMELINE,
    ) -> bool:
        """Store the result, and what the attempt did when (`Timeline.as_dict`). False: the attempt
        is not running any more; discard the result."""
        return await self._changes(
            queries.SETTLE_COMPLETED,
            id=task_id,
            attempt=attempt,
            output=_json(output),
            timeline=_json(timeline),
        )

    async def settle_all(self, completions: Sequence[Completion]) -> set[str]:
        """Store results in one statement; the ids of those that count. One that was stored already
        counts again: whoever asks did not hear of its commit."""
        rows = await self._rows(
            queries.SETTLE_ALL,
            results=_json(
                [
                    {
                        "id": one.task_id,
                        "attempt": one.attempt,
                        "output": dict(one.output),
                        "timeline": dict(one.timeline),
                    }
                    for one in completions
                ]
            ),
        )
        return {row["id"] for row in rows}

    async def lock_log(self, organization_ids: Collection[UUID]) -> None:
        """Before the commit of what concerns several organizations: their logs are locked in the
        order in which everybody locks them."""
        if len(organization_ids) > 1:
            await self._rows(queries.LOCK_LOG, organization_ids=list(organization_ids))

    async def settle_failed(
        self,
        task_id: str,
        attempt: int,
        failure: Failure,
        timeline: Mapping[str, Any] = _NO_TIMELINE,
    ) -> bool:
        """Give the task up. False as in :meth:`settle_completed`."""
        return await self._changes(
            queries.SETTLE_FAILED,
            id=task_id,
            attempt=attempt,
            code=failure.code,
            reason=failure.reason,
            timeline=_json(timeline),
        )

    async def retry_later(
        self,
        task_id: str,
        attempt: int,
        failure: Failure,
        timeline: Mapping[str, Any] = _NO_TIMELINE,
        *,
        delay: float,
    ) -> bool:
        """Keep the failure and run the task again after ``delay`` seconds. False as above."""
        return await self._changes(
            queries.RETRY_LATER,
            id=task_id,
            attempt=attempt,
            code=failure.code,
            reason=failure.reason,
            timeline=_json(timeline),
            delay=timedelta(seconds=delay),
        )

    async def release(
        self, task_id: str, attempt: int, timeline: Mapping[str, Any] = _NO_TIMELINE
    ) -> bool:
        """Hand the task back, as a runner that shuts down does; not a failure. False as above."""
        return await self._changes(
            queries.RELEASE, id=task_id, attempt=attempt, timeline=_json(timeline)
        )

    async def cancel(self, scope: OrganizationScope, task_id: str) -> Cancellation | None:
        """Cancel a pending or running task at once, telling its runner. A finished one stays as it
        is. None: there is no such task in this organization."""
        changed = await self._changes(
            queries.CANCEL, id=task_id, organization_id=scope.organization_id
        )
        task = await TaskRepository(self._session, scope).get(task_id)
        if task is None:
            return None
        if changed:
            await self._session.refresh(task)
        return Cancellation(task, changed)

    async def cancel_all(self, task_ids: Collection[str]) -> None:
        """Cancel those of the tasks that have not ended, telling their runners.

        One that somebody else has locked is passed over, as it may be about to end: whoever waits
        for it here could be waited for there. Ask again for those that are left.
        """
        if task_ids:
            await self._rows(queries.CANCEL_ALL, ids=list(task_ids))

    async def hold(self, task_ids: Collection[str]) -> None:
        """Let those of the tasks that have not been started wait until they are freed."""
        if task_ids:
            await self._rows(queries.HOLD, ids=list(task_ids))

    async def free(self, task_ids: Collection[str]) -> None:
        """Let tasks run that were held."""
        if task_ids:
            await self._rows(queries.FREE, ids=list(task_ids))

    async def reap_expired(self, *, limit: int = 100) -> list[ReapedTask]:
        """Take back tasks whose runner stopped sending heartbeats. Any number of processes may."""
        rows = await self._rows(queries.REAP_EXPIRED, limit=limit)
        return [ReapedTask(row["id"], row["queue"], TaskStatus(row["status"])) for row in rows]

    async def _rows(self, statement: TextClause, **values: object) -> Sequence[RowMapping]:
        result = await self._session.execute(statement, values)
        return result.mappings().all()

    async def _changes(self, statement: TextClause, **values: object) -> bool:
        return bool(await self._rows(statement, **values))


def _row(scope: OrganizationScope, task: NewTask) -> dict[str, Any]:
    fields = {name: getattr(task, name) for name in NewTask.__dataclass_fields__}
    fields |= {"organization_id": scope.organization_id, "origin": origin()}
    return {**fields, "config": dict(task.config)}


def _json(value: Any) -> str:
    # A mapping of any kind is a JSON object.
    return orjson.dumps(value, default=dict).decode()
