"""Load a collection for all rows of a page, by one statement, as rows and not as entities.

It does what SQLAlchemy's ``selectinload`` does at a fraction of the time. The ids are one array:
asyncpg's dialect renders a type cast for each element of an ``IN``, which for a page of twenty
takes longer than the query. And what is loaded is only shown: to make a hundred entities of a
page's images takes longer than all else that the request does.
"""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, cast, select
from sqlalchemy.orm import Bundle
from sqlalchemy.orm.attributes import set_committed_value

from db.models import Media
from db.session import ReadSession


def _maker(name: str, keys: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    made: Any = namedtuple(name, keys)  # type: ignore[misc]  # known only now
    make: Callable[[Iterable[Any]], Any] = made._make
    return make


class _Tuples(Bundle[Any]):
    """Named tuples: an attribute of SQLAlchemy's row takes twenty times as long to read."""

    def create_row_processor(
        self, query: Any, procs: Sequence[Callable[[Any], Any]], labels: Sequence[str]
    ) -> Callable[[Any], Any]:
        del query
        make = _maker(self.name, labels)
        return lambda row: make([value(row) for value in procs])


# What is shown of a picture's media, as ``media`` of a row.
MEDIA: Bundle[Any] = _Tuples(
    "media",
    Media.path,
    Media.thumbnail_path,
    Media.content_type,
    Media.width,
    Media.height,
    Media.size,
    Media.dominant_color,
)


def as_array(ids: Collection[UUID]) -> Any:
    """Ids as one parameter, to compare with by ``any_``."""
    return cast(list(ids), ARRAY(Uuid))


class Children:
    """A collection to load.

    Args:
        collection: such as ``Product.images``; it says the order.
        parent: the column that refers to the row, such as ``ProductImage.product_id``.
        further: columns of ``joined`` to have with those of the child.
        joined: a relationship of the child; a child without it is loaded as well.
        without: columns of the child that nobody reads here.
    """

    def __init__(
        self,
        collection: Any,
        parent: Any,
        *,
        further: Sequence[Any] = (),
        joined: Any = None,
        without: Collection[Any] = (),
    ) -> None:
        self._key: str = collection.key
        self._parent: str = parent.key
        mapper = collection.property.mapper
        omitted = {column.key for column in without}
        columns = [
            getattr(mapper.class_, one.key) for one in mapper.column_attrs if one.key not in omitted
        ]
        query = select(*columns, *further)
        if joined is not None:
            query = query.outerjoin(joined)
        self._query = query.where(parent == any_(bindparam("parents", type_=ARRAY(Uuid)))).order_by(
            *collection.property.order_by
        )
        names = [column["name"] for column in query.column_descriptions]
        self._make = _maker(mapper.class_.__name__, names)

    async def load(self, session: ReadSession, rows: Sequence[Any]) -> None:
        """Fill the collection of each row."""
        if not rows:
            return
        found = await session.execute(self._query, {"parents": [row.id for row in rows]})
        parent_of = attrgetter(self._parent)
        by_parent: dict[UUID, list[Any]] = defaultdict(list)
        for child in map(self._make, found):
            by_parent[parent_of(child)].append(child)
        for row in rows:
            set_committed_value(row, self._key, by_parent[row.id])
