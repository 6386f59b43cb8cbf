"""Workflows at a glance, of one organization or of the whole platform."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Float, extract, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from db import monitoring_queries as queries
from db.models import StepStatus, Workflow, WorkflowStatus, WorkflowStep
from db.repositories.monitoring import View
from db.repositories.scope import OrganizationScope, Page, fetch_page
from db.repositories.scoped import order_by
from db.session import ReadSession

_DURATION: Final = extract(
    "epoch", func.coalesce(Workflow.completed_at, func.statement_timestamp()) - Workflow.started_at
).cast(Float)
_SORTS: Final[Mapping[str, Any]] = {
    "created_at": Workflow.created_at,
    "started_at": Workflow.started_at,
    "completed_at": Workflow.completed_at,
    "duration": _DURATION,
    "name": Workflow.name,
    "status": Workflow.status,
}


@dataclass(frozen=True, slots=True)
class WorkflowGlance:
    """A workflow; how many steps it has, how many of them are done, and the names of those that are
    at work (or wait for a person) and that have failed."""

    workflow: Workflow
    steps: int
    done: int
    active: tuple[str, ...]
    failed: tuple[str, ...]


class WorkflowMonitor:
    """Looks, and changes nothing."""

    def __init__(self, session: ReadSession, view: View) -> None:
        self._session = session
        self._organization: UUID | None = (
            view.organization_id if isinstance(view, OrganizationScope) else None
        )

    async def list(
        self,
        *,
        page: int,
        size: int,
        sort: str | None = None,
        statuses: Collection[WorkflowStatus] = (),
        id_prefix: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[WorkflowGlance]:
        """Newest first unless ``sort`` says otherwise; None and empty filters filter nothing.

        Raises:
            UnknownSort: as it says.
        """
        query = select(Workflow).order_by(*order_by(sort, _SORTS))
        if self._organization is not None:
            query = query.where(Workflow.organization_id == self._organization)
        if statuses:
            query = query.where(Workflow.status.in_(statuses))
        if id_prefix:
            query = query.where(Workflow.id.startswith(id_prefix, autoescape=True))
        if created_after is not None:
            query = query.where(Workflow.created_at >= created_after)
        if created_before is not None:
            query = query.where(Workflow.created_at < created_before)
        found: Page[Workflow] = await fetch_page(
            self._session, query, page=page, size=size, order_by=Workflow.id.desc()
        )
        steps = await self._steps([workflow.id for workflow in found.items])
        glances = [
            WorkflowGlance(workflow, *steps.get(workflow.id, (0, 0, (), ())))
            for workflow in found.items
        ]
        return Page(glances, found.total, page, size)

    async def stats(self, window: timedelta) -> dict[str, Any]:
        """Figures of what ended within the last ``window``; see the statement."""
        rows = await self._session.execute(
            queries.WORKFLOW_STATS, {"organization_id": self._organization, "window": window}
        )
        return dict(rows.mappings().one())

    async def _steps(self, ids: Collection[str]) -> dict[str, tuple[Any, ...]]:
        if not ids:
            return {}
        step = WorkflowStep
        names = aggregate_order_by(step.name, step.position)
        active = step.status.in_([StepStatus.RUNNING, StepStatus.WAITING])
        rows = await self._session.execute(
            select(
                step.workflow_id,
                func.count(),
                func.count().filter(step.status == StepStatus.COMPLETED),
                func.array_agg(names).filter(active),
                func.array_agg(names).filter(step.status == StepStatus.FAILED),
            )
            .where(step.workflow_id.in_(ids))
            .group_by(step.workflow_id)
        )
        return {
            one: (count, done, tuple(active or ()), tuple(failed or ()))
            for one, count, done, active, failed in rows
        }
