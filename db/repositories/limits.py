"""Limits of plans, and how much of them is used: asked before anything is scoped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from configs.plans import Plans, Rate
from db import queries
from db.models import Organization, PlanLimit
from db.repositories.scope import OrganizationScope
from db.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class Permits:
    """What was taken of a rate limit.

    Attributes:
        granted: requests that may be answered now; 0: none.
        remaining: that could be taken beside them.
        retry_in: seconds until the next one can be taken; 0: at once.
        full_in: seconds until all can be taken again, if none are until then.
    """

    granted: int
    remaining: int
    retry_in: float
    full_in: float


class LimitRepository:
    """Which limits an organization has."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    async def tier_of(self, organization_id: UUID) -> str | None:
        """The tier of its plan; None: there is no such organization."""
        values = {"organization_id": organization_id}
        tier: str | None = await self._session.scalar(queries.TIER_OF, values)
        return tier


class LimitWriter(LimitRepository):
    """The use of limits."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)

    async def sync(self, plans: Plans) -> None:
        """Let the database know the plans, and no others; writes only what has changed."""
        for plan in plans.values():
            values = {
                "is_default": plan is plans.default,
                "concurrent_tasks": plan.concurrent_tasks,
            }
            await self._session.execute(
                insert(PlanLimit)
                .values(tier=plan.tier, **values)
                .on_conflict_do_update(
                    index_elements=["tier"],
                    set_=values,
                    where=(PlanLimit.is_default != values["is_default"])
                    | PlanLimit.concurrent_tasks.is_distinct_from(plan.concurrent_tasks),
                )
            )
        await self._session.execute(delete(PlanLimit).where(PlanLimit.tier.not_in(plans)))

    async def put_on(self, organization_id: UUID, tier: str | None) -> None:
        """Give an organization the limits of a tier, whatever its subscription says; None: those
        of its subscription."""
        await self._session.execute(
            update(Organization)
            .where(Organization.id == organization_id, Organization.tier.is_distinct_from(tier))
            .values(tier=tier)
        )

    async def take_permits(
        self, subject_id: UUID, bucket: str, rate: Rate, *, wanted: int
    ) -> Permits:
        """Take up to ``wanted`` requests of a rate limit; one statement, which may commit by
        itself."""
        row = (
            await self._session.execute(
                queries.TAKE_PERMITS,
                {
                    "subject_id": subject_id,
                    "bucket": bucket,
                    "requests": rate.requests,
                    "seconds": rate.seconds,
                    "wanted": wanted,
                },
            )
        ).one()
        return Permits(row.granted, row.remaining, row.retry_in, row.full_in)

    async def forget_unused(self, *, older_than_seconds: float) -> None:
        """Remove the state of rate limits that nobody has come near for so long."""
        await self._session.execute(queries.FORGET_RATES, {"seconds": older_than_seconds})


class TaskAdmission:
    """What one organization has asked for today, and what waits."""

    def __init__(self, session: WriteSession, scope: OrganizationScope) -> None:
        self._session = session
        self._organization_id = scope.organization_id

    async def count(self, tasks: int, *, at_most: int | None) -> bool:
        """Count tasks of today (UTC), all or none; whether there was room. Others of the
        organization wait until this transaction ends, so no more than ``at_most`` are counted."""
        values = {"organization_id": self._organization_id, "tasks": tasks, "at_most": at_most}
        counted = await self._session.execute(queries.COUNT_TASKS, values)
        return counted.first() is not None

    async def pending(self, queues: Mapping[str, int]) -> Mapping[str, tuple[int, int]]:
        """By queue, how many tasks wait: the organization's, and everybody's."""
        found = await self._session.execute(
            queries.PENDING, {"organization_id": self._organization_id, "queues": list(queues)}
        )
        return {row.queue: (row.own, row.everybody) for row in found}
