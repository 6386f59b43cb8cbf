"""Tasks as their owner sees them. Changes of state go through :mod:`db.repositories.queue`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, select

from db.models import Task, TaskStatus
from db.repositories.scope import OrganizationScope, Page, fetch_page
from db.session import ReadSession

# Built once: putting the expression together takes longer than Postgres needs to answer it.
_GET = select(Task).where(
    Task.id == bindparam("id"), Task.organization_id == bindparam("organization_id")
)


class TaskRepository:
    """Reads the tasks of one organization."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def get(self, task_id: str, *, type: str | None = None) -> Task | None:  # noqa: A002
        """The task (of that type, when one is named), or None: unknown and another tenant's are
        the same."""
        query = _GET if type is None else _GET.where(Task.type == type)
        values = {"id": task_id, "organization_id": self._scope.organization_id}
        task: Task | None = await self._session.scalar(query, values)
        return task

    async def list(
        self,
        *,
        page: int = 1,
        size: int = 20,
        types: Collection[str] = (),
        statuses: Collection[TaskStatus] = (),
        id_prefix: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[Task]:
        """Newest first; empty filters filter nothing."""
        query = select(Task).where(Task.organization_id == self._scope.organization_id)
        if types:
            query = query.where(Task.type.in_(types))
        if statuses:
            query = query.where(Task.status.in_(statuses))
        if id_prefix:
            query = query.where(Task.id.startswith(id_prefix, autoescape=True))
        if created_after is not None:
            query = query.where(Task.created_at >= created_after)
        if created_before is not None:
            query = query.where(Task.created_at < created_before)
        return await fetch_page(self._session, query, page=page, size=size, order_by=Task.id.desc())
