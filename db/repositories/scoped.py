"""What the repositories of an organization's resources have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, Text, any_, delete, func, or_, select
from sqlalchemy.orm.interfaces import ORMOption

from db.models import Base
from db.repositories.children import Children, as_array
from db.repositories.scope import OrganizationScope, Page, fetch_page
from db.session import ReadSession, WriteSession

RowT = TypeVar("RowT", bound=Base)


class UnknownSort(ValueError):
    """The list cannot be sorted by this."""


class ScopedRepository(Generic[RowT]):
    """One organization's rows of a table; it cannot be made without the scope.

    Attributes:
        model: the table.
        searched: columns in which ``q`` looks.
        sorts: columns to sort by, by the name that clients use.
        loads: what is loaded with each row, in the same statement.
        children: collections of each row, in the same statement.
        includes_public: rows without an organization are seen as well.
    """

    model: ClassVar[type[Any]]
    searched: ClassVar[Sequence[Any]] = ()
    sorts: ClassVar[Mapping[str, Any]] = {}
    loads: ClassVar[Sequence[ORMOption]] = ()
    children: ClassVar[Sequence[Children]] = ()
    includes_public: ClassVar[bool] = False

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def get(self, row_id: UUID) -> RowT | None:
        """The row with this id; unknown and another tenant's are the same."""
        found = await self._session.execute(
            self._complete(self._visible().where(self.model.id == row_id)),
            execution_options={"populate_existing": True},
        )
        row = found.one_or_none()
        return None if row is None else self._filled(row)

    async def get_many(self, ids: Collection[UUID]) -> dict[UUID, RowT]:
        """Those of the rows that exist, by id."""
        if not ids:
            return {}
        found = await self._session.execute(
            self._complete(self._visible().where(self.model.id == any_(as_array(ids))))
        )
        rows: Sequence[Any] = [self._filled(row) for row in found]
        return {row.id: row for row in rows}

    async def list(
        self,
        *,
        page: int = 1,
        size: int = 20,
        sort: str | None = None,
        q: str = "",
        archived: bool | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        where: Sequence[Any] = (),
        **equal: Any,
    ) -> Page[RowT]:
        """One page, the newest first unless ``sort`` says otherwise.

        Args:
            page, size: which rows, ``page`` from 1.
            sort: names of ``sorts`` with commas between them, ``-`` before a descending one.
            q: text in one of ``searched``, in any case of letters.
            archived: only those that are, or are not.
            created_after, created_before: when they were made; the first is included.
            where: further conditions.
            equal: values of columns; None filters nothing, a collection is any of its members.

        Raises:
            UnknownSort: as it says.
        """
        query = self._visible().where(*where)
        if q and self.searched:
            matches = [column.icontains(q, autoescape=True) for column in self.searched]
            query = query.where(or_(*matches))
        if archived is not None:
            is_set = self.model.archived_at.is_not(None)
            query = query.where(is_set if archived else ~is_set)
        if created_after is not None:
            query = query.where(self.model.created_at >= created_after)
        if created_before is not None:
            query = query.where(self.model.created_at < created_before)
        for name, value in equal.items():
            column = getattr(self.model, name)
            if isinstance(value, list | tuple | set | frozenset):
                query = query.where(column.in_(value)) if value else query
            elif value is not None:
                query = query.where(column == value)
        return await self._page(query, page, size, sort)

    async def _page(self, query: Select[Any], page: int, size: int, sort: str | None) -> Page[RowT]:
        *first, last = self._order(sort)
        for column in first:
            query = query.order_by(column)
        return await fetch_page(
            self._session,
            query.options(*self.loads),
            page=page,
            size=size,
            order_by=last,
            further=self._collections(),
            make=self._filled,
        )

    def _collections(self) -> Sequence[Any]:
        return [one.column for one in self.children]

    def _complete(self, query: Select[Any]) -> Select[Any]:
        """With all that is loaded with each row."""
        return query.options(*self.loads).add_columns(*self._collections())

    def _filled(self, found: Any) -> RowT:
        """The row, with its collections, which stand behind it."""
        row: RowT = found[0]
        for one, values in zip(self.children, found[1:], strict=False):
            one.fill(row, values)
        return row

    def _order(self, sort: str | None) -> Sequence[Any]:
        columns = []
        for name in filter(None, (sort or "").split(",")):
            column = self.sorts.get(name.removeprefix("-"))
            if column is None:
                raise UnknownSort(f"sort by {', '.join(self.sorts)}, with - before it to reverse")
            if isinstance(column.type, Text):
                column = func.lower(column)
            columns.append(column.desc() if name.startswith("-") else column.asc())
        # Ids are in the order of creation, and unique: pages never overlap.
        return [*columns, self.model.id.desc()]

    def _visible(self) -> Select[Any]:
        owner = self.model.organization_id
        own = owner == self._scope.organization_id
        return select(self.model).where(or_(own, owner.is_(None)) if self.includes_public else own)


class ScopedWriter(ScopedRepository[RowT]):
    """Rows of one organization, and changes of them."""

    def __init__(self, session: WriteSession, scope: OrganizationScope) -> None:
        super().__init__(session, scope)
        self._session: WriteSession = session

    async def lock(self, row_id: UUID) -> RowT | None:
        """The organization's own row, which nobody else changes until this transaction ends."""
        row: RowT | None = await self._session.scalar(
            select(self.model)
            .where(
                self.model.id == row_id,
                self.model.organization_id == self._scope.organization_id,
            )
            .with_for_update(),
            execution_options={"populate_existing": True},
        )
        return row

    async def add(self, **values: Any) -> RowT:
        """A new row, with what the database fills in.

        Raises:
            sqlalchemy.exc.IntegrityError: a value must be unique and is not.
        """
        row: RowT = self.model(organization_id=self._scope.organization_id, **values)
        self._session.add(row)
        await self._session.flush()
        return await self._reload(row)

    async def change(self, row: RowT, values: Mapping[str, Any]) -> RowT:
        """The row with new values, and a new version even if they are the old ones.

        Raises:
            sqlalchemy.exc.IntegrityError: as for :meth:`add`.
        """
        for name, value in values.items():
            setattr(row, name, value)
        return await self.touch(row)

    async def touch(self, row: RowT) -> RowT:
        """A new version of the row, for a change of what belongs to it."""
        row.updated_at = func.clock_timestamp()  # type: ignore[attr-defined]
        await self._session.flush()
        return await self._reload(row)

    async def delete(self, row: RowT) -> None:
        """Remove the row.

        Raises:
            sqlalchemy.exc.IntegrityError: something refers to it.
        """
        await self._session.execute(delete(self.model).where(self.model.id == row.id))  # type: ignore[attr-defined]

    async def _reload(self, row: RowT) -> RowT:
        found = await self.get(row.id)  # type: ignore[attr-defined]
        assert found is not None
        return found


def order_by(sort: str | None, sorts: Mapping[str, Any]) -> list[Any]:
    """Columns to order by, as ``sort`` names them (see `ScopedRepository.list`); rows without a
    value come last.

    Raises:
        UnknownSort: as it says.
    """
    columns = []
    for name in filter(None, (sort or "").split(",")):
        column = sorts.get(name.removeprefix("-"))
        if column is None:
            raise UnknownSort(f"sort by {', '.join(sorts)}, with - before it to reverse")
        ordered = column.desc() if name.startswith("-") else column.asc()
        columns.append(ordered.nulls_last())
    return columns
