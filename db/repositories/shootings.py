"""Shootings."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from db.models import Shooting, Shot, ShotStatus
from db.repositories.scope import Page
from db.repositories.scoped import ScopedRepository, ScopedWriter


class ShootingRepository(ScopedRepository[Shooting]):
    """An organization's shootings."""

    model = Shooting
    searched = (Shooting.name, Shooting.description, Shooting.season, Shooting.collection)
    sorts = {  # noqa: RUF012
        "name": Shooting.name,
        "due_date": Shooting.due_date,
        "created_at": Shooting.created_at,
        "updated_at": Shooting.updated_at,
    }

    async def list(self, *, due_before: date | None = None, **filters: Any) -> Page[Shooting]:
        """As every list; ``due_before`` leaves out those without a date."""
        where = () if due_before is None else (Shooting.due_date < due_before,)
        return await super().list(where=where, **filters)

    async def progress(self, shooting_id: UUID) -> dict[ShotStatus, int]:
        """How many shots of a shooting are in each state."""
        rows = await self._session.execute(
            select(Shot.status, func.count())
            .where(
                Shot.shooting_id == shooting_id,
                Shot.organization_id == self._scope.organization_id,
            )
            .group_by(Shot.status)
        )
        counts = dict.fromkeys(ShotStatus, 0)
        counts.update((status, count) for status, count in rows)
        return counts


class ShootingWriter(ShootingRepository, ScopedWriter[Shooting]):
    """Shootings, and changes of them."""
