"""Whose rows, and how many of them."""

from __future__ import annotations

from dataclasses import dataclass
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
    session: ReadSession, query: Select[Row], *, page: int, size: int, order_by: Any
) -> Page[Row]:
    """Run ``query`` for one page, and count what it would return in all: one statement, whose
    count Postgres makes once, apart from the page."""
    total = select(func.count()).select_from(query.subquery()).scalar_subquery()
    found = await session.execute(
        query.add_columns(total).order_by(order_by).limit(size).offset((page - 1) * size)
    )
    rows = found.all()
    if rows:
        return Page([row[0] for row in rows], rows[0][-1], page, size)
    # Beyond the last page there is no row to carry the count.
    count = 0 if page == 1 else await session.scalar(select(total))
    return Page([], count or 0, page, size)
