"""Whose rows, and how many of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select

from db.session import ReadSession

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class OrganizationScope:
    """The right to see one organization's rows; another tenant's object is not found."""

    organization_id: UUID


@dataclass(frozen=True, slots=True)
class PlatformScope:
    """The right to see the rows of every organization: of those who run the platform."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list; ``page`` counts from 1, ``total`` over all pages."""

    items: list[Row]
    total: int
    page: int
    size: int


async def fetch_page(
    session: ReadSession,
    query: Select[Any],
    *,
    page: int,
    size: int,
    order_by: Any,
    further: Sequence[Any] = (),
    make: Callable[[Any], Row] = itemgetter(0),
) -> Page[Row]:
    """Run ``query`` for one page, and count what it would return in all: one statement, whose
    count Postgres makes once, apart from the page.

    Args:
        session: to read in.
        query: without an end.
        page, size, order_by: which rows.
        further: columns of the page's rows that the count has no use for.
        make: of a row, its columns in front and the further ones behind, what the page shows.
    """
    total = select(func.count()).select_from(query.subquery()).scalar_subquery()
    found = await session.execute(
        query.add_columns(*further, total).order_by(order_by).limit(size).offset((page - 1) * size)
    )
    rows = found.all()
    if rows:
        return Page([make(row) for row in rows], rows[0][-1], page, size)
    # Beyond the last page there is no row to carry the count.
    count = 0 if page == 1 else await session.scalar(select(total))
    return Page([], count or 0, page, size)
