"""A view inside: queues, workers and tasks, of one organization or of the whole platform.

What is shared, such as the workers, everybody sees; the names of tasks and adapters only who may.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Float, extract, func, select
from sqlalchemy.orm import undefer

from db import monitoring_queries as queries
from db.models import Adapter, Task, TaskStatus, Worker
from db.repositories.scope import OrganizationScope, Page, PlatformScope, fetch_page
from db.repositories.scoped import order_by
from db.session import ReadSession

View: TypeAlias = OrganizationScope | PlatformScope


def _seconds(until: Any, since: Any) -> ColumnElement[float]:
    return extract("epoch", until - since).cast(Float)


_WAIT: Final = _seconds(func.coalesce(Task.started_at, func.statement_timestamp()), Task.created_at)
_DURATION: Final = _seconds(
    func.coalesce(Task.completed_at, func.statement_timestamp()), Task.started_at
)
_SORTS: Final[Mapping[str, Any]] = {
    "created_at": Task.created_at,
    "started_at": Task.started_at,
    "completed_at": Task.completed_at,
    "wait": _WAIT,
    "duration": _DURATION,
    "priority": Task.priority,
    "attempt": Task.attempt,
    "status": Task.status,
    "type": Task.type,
}


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue: tasks that wait, those of them that are not due yet, tasks that run, workers that
    serve it, and how many seconds the first of those that are due has waited."""

    name: str
    pending: int
    delayed: int
    running: int
    workers: int
    oldest_wait: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the viewer may know of what the workers hold: ids of tasks, and names of adapters
    (``name@version``) by their digests."""

    tasks: frozenset[str]
    adapters: Mapping[str, str]


class Monitor:
    """Looks, and changes nothing."""

    def __init__(self, session: ReadSession, view: View) -> None:
        self._session = session
        self._organization: UUID | None = (
            view.organization_id if isinstance(view, OrganizationScope) else None
        )

    async def queues(self) -> list[Queue]:
        """All queues, by name. Tasks are those of the view, workers are everybody's."""
        rows = await self._session.execute(queries.QUEUES, {"organization_id": self._organization})
        return [Queue(**row) for row in rows.mappings()]

    async def workers(self, *, page: int, size: int) -> Page[Worker]:
        """All workers, by deployment and in the order of their start."""
        order = (Worker.deployment, Worker.started_at)
        query = select(Worker).order_by(*order)
        return await fetch_page(self._session, query, page=page, size=size, order_by=Worker.id)

    async def known(self, workers: Sequence[Worker]) -> Known:
        """What of these workers' tasks and adapters the viewer may know."""
        task_ids = {one for worker in workers for one in worker.tasks}
        digests = {one for worker in workers for one in worker.loras}
        tasks = select(Task.id).where(Task.id.in_(task_ids), *self._own(Task))
        adapters = select(Adapter.sha256, Adapter.name, Adapter.version).where(
            Adapter.sha256.in_(digests), *self._own(Adapter)
        )
        return Known(
            frozenset(await self._session.scalars(tasks)) if task_ids else frozenset(),
            {
                digest: f"{name}@{version}"
                for digest, name, version in await self._session.execute(adapters)
            }
            if digests
            else {},
        )

    async def tasks(
        self,
        *,
        page: int,
        size: int,
        sort: str | None = None,
        statuses: Collection[TaskStatus] = (),
        types: Collection[str] = (),
        queue: str | None = None,
        model: str | None = None,
        error_code: str | None = None,
        id_prefix: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[Task]:
        """Newest first unless ``sort`` says otherwise; None and empty filters filter nothing.

        Raises:
            UnknownSort: as it says.
        """
        query = select(Task).where(*self._own(Task))
        equal = {
            Task.queue: queue,
            Task.config["model"].astext: model,
            Task.error_code: error_code,
        }
        query = query.where(*(column == value for column, value in equal.items() if value))
        if statuses:
            query = query.where(Task.status.in_(statuses))
        if types:
            query = query.where(Task.type.in_(types))
        if id_prefix:
            query = query.where(Task.id.startswith(id_prefix, autoescape=True))
        if created_after is not None:
            query = query.where(Task.created_at >= created_after)
        if created_before is not None:
            query = query.where(Task.created_at < created_before)
        query = query.order_by(*order_by(sort, _SORTS))
        return await fetch_page(self._session, query, page=page, size=size, order_by=Task.id.desc())

    async def task(self, task_id: str) -> Task | None:
        """The task with its timeline; unknown and another tenant's are the same."""
        found: Task | None = await self._session.scalar(
            select(Task)
            .where(Task.id == task_id, *self._own(Task))
            .options(undefer(Task.timeline), undefer(Task.origin))
        )
        return found

    async def worker_of(self, task_id: str) -> str | None:
        """Id of the worker that holds a task, where it has reported that."""
        # A runner holds all that its replicas work on; who has a model says more.
        query = (
            select(Worker.id)
            .where(Worker.tasks.contains([task_id]))
            .order_by(func.cardinality(Worker.models).desc())
            .limit(1)
        )
        found: str | None = await self._session.scalar(query)
        return found

    async def stats(self, window: timedelta) -> dict[str, Any]:
        """Figures of what ended within the last ``window``; see the statement."""
        row = await self._session.execute(
            queries.STATS, {"organization_id": self._organization, "window": window}
        )
        return dict(row.mappings().one())

    async def database(self) -> dict[str, int]:
        """Bytes of the database; its connections, and how many there may be."""
        row = await self._session.execute(queries.DATABASE)
        return dict(row.mappings().one())

    def _own(self, model: Any) -> list[ColumnElement[bool]]:
        if self._organization is None:
            return []
        return [model.organization_id == self._organization]
