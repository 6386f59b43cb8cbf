"""Load a collection for all rows of a page, by one statement.

As SQLAlchemy's ``selectinload`` does, but with the ids as one array: asyncpg's dialect renders a
type cast for each element of an ``IN``, which for a page of twenty takes longer than the query.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, cast, select
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.interfaces import ORMOption

from db.session import ReadSession


@dataclass(frozen=True, slots=True)
class Children:
    """A collection to load.

    Attributes:
        collection: such as ``Product.images``; it says the order.
        parent: the column that refers to the row, such as ``ProductImage.product_id``.
        options: what is loaded with each child.
    """

    collection: Any
    parent: Any
    options: Sequence[ORMOption] = ()

    async def load(self, session: ReadSession, rows: Sequence[Any]) -> None:
        """Fill the collection of each row."""
        if not rows:
            return
        relationship = self.collection.property
        ids = cast([row.id for row in rows], ARRAY(Uuid))
        found = await session.scalars(
            select(relationship.mapper.class_)
            .where(self.parent == any_(ids))
            .order_by(*relationship.order_by)
            .options(*self.options),
            execution_options={"populate_existing": True},
        )
        by_parent: dict[UUID, list[Any]] = defaultdict(list)
        for child in found:
            by_parent[getattr(child, self.parent.key)].append(child)
        for row in rows:
            set_committed_value(row, self.collection.key, by_parent[row.id])
