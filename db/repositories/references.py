"""Whether the ids in a request are of rows that the organization may refer to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, literal, or_, select, union_all

from db.models import Base
from db.repositories.scope import OrganizationScope
from db.session import ReadSession


class ReferenceRepository:
    """Ids of an organization's rows, and of public ones, in any table that has an owner."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def missing(
        self, named: Mapping[str, tuple[type[Base], Collection[UUID]]]
    ) -> tuple[str, ...]:
        """In one statement: under which names stand ids that are unknown or another tenant's.

        Args:
            named: by a name of the caller's, a table and ids of its rows.
        """
        wanted = {name: set(ids) for name, (_, ids) in named.items() if ids}
        if not wanted:
            return ()
        queries = [self._query(name, named[name][0], ids) for name, ids in wanted.items()]
        for name, row_id in await self._session.execute(union_all(*queries)):
            wanted[name].discard(row_id)
        return tuple(name for name, ids in wanted.items() if ids)

    def _query(self, name: str, model: Any, ids: Collection[UUID]) -> Select[Any]:
        owner = model.organization_id
        # Only presets have rows without an owner; elsewhere the column is never null.
        visible = or_(owner == self._scope.organization_id, owner.is_(None))
        return select(literal(name), model.id).where(model.id.in_(ids), visible)
