"""Adapters, by id, by name and by version."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from sqlalchemy import func, or_, tuple_
from sqlalchemy.dialects.postgresql import insert

from db.models import Adapter, AdapterName
from db.repositories.scoped import ScopedRepository, ScopedWriter

# Larger numbers are no versions, and no integers of Postgres either.
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class _Reference:
    """How a request names an adapter: ``id``, ``name@version``, or ``name`` for the newest."""

    id: UUID | None = None
    name: str = ""
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(id=UUID(text))
        except ValueError:
            name, at, version = text.rpartition("@")
        if at and version.isascii() and version.isdigit() and len(version) <= _MAX_DIGITS:
            return cls(name=name, version=int(version))
        return cls(name=text)


class AdapterRepository(ScopedRepository[Adapter]):
    """An organization's adapters."""

    model = Adapter
    searched = (Adapter.name, Adapter.trigger_word)
    sorts = {  # noqa: RUF012
        "name": Adapter.name,
        "version": Adapter.version,
        "size": Adapter.size,
        "created_at": Adapter.created_at,
    }

    async def resolve(self, names: Collection[str]) -> dict[str, Adapter]:
        """In one statement, what each of the names stands for: an id, ``name@version``, or a name,
        which is its newest version. A name that stands for nothing is absent."""
        wanted = {name: _Reference.parse(name) for name in names}
        if not wanted:
            return {}
        references = wanted.values()
        plain = [one.name for one in references if one.id is None and one.version is None]
        newest = (
            self._visible()
            .with_only_columns(Adapter.name, func.max(Adapter.version))
            .where(Adapter.name.in_(plain))
            .group_by(Adapter.name)
        )
        exact = [(one.name, one.version) for one in references if one.version is not None]
        version = tuple_(Adapter.name, Adapter.version)
        found = await self._session.scalars(
            self._visible()
            .where(
                or_(
                    Adapter.id.in_([one.id for one in references if one.id is not None]),
                    version.in_(exact),
                    version.in_(newest),
                )
            )
            .order_by(Adapter.version)
        )
        known: dict[_Reference, Adapter] = {}
        for row in found:
            known[_Reference(id=row.id)] = row
            known[_Reference(name=row.name, version=row.version)] = row
            known[_Reference(name=row.name)] = row  # the newest comes last
        return {name: known[one] for name, one in wanted.items() if one in known}


class AdapterWriter(AdapterRepository, ScopedWriter[Adapter]):
    """Adapters, and changes of them."""

    async def create(self, *, name: str, **values: Any) -> Adapter:
        """The next version of ``name``, as a row; its object must be stored already.

        Of two transactions that make a version of one name at once, the second waits for the first
        one's end. Numbers are never given twice, but a rolled back one is given again.

        Args:
            name: of the adapter, without ``@``.
            values: every other column but ``version``.
        """
        taken = (
            insert(AdapterName)
            .values(organization_id=self._scope.organization_id, name=name)
            .on_conflict_do_update(
                index_elements=[AdapterName.organization_id, AdapterName.name],
                set_={"versions": AdapterName.versions + 1},
            )
            .returning(AdapterName.versions)
        )
        return await self.add(name=name, version=await self._session.scalar(taken), **values)
