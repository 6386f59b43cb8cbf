"""Collections that are shown with each row, in the statement of the rows and not as entities.

It does what SQLAlchemy's ``selectinload`` does at a fraction of the time. Another statement would
take longer than what it reads. And what is loaded is only shown: to make a hundred entities of a
page's images takes longer than all else that the request does.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Dialect, Uuid, cast, func, select, type_coerce
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.types import TypeEngine, UserDefinedType

from db.models import Media


class Record:
    """Columns that are read as one named tuple: an attribute of SQLAlchemy's row takes twenty times
    as long to read.

    Args:
        name: of the tuple's type.
        columns: columns and further records.
    """

    def __init__(self, name: str, columns: Sequence[Any]) -> None:
        self.key = name
        self.expression: Any = func.row(
            *(one.expression if isinstance(one, Record) else one for one in columns)
        )
        self.type = _RecordType(
            name, tuple(one.key for one in columns), tuple(one.type for one in columns)
        )


class _RecordType(UserDefinedType[Any]):
    """What the driver gives for a record, as a named tuple of what its columns' types make of it.

    SQLAlchemy copies types by their arguments, which it finds in attributes of the same names.
    """

    cache_ok = True

    def __init__(
        self, name: str, keys: tuple[str, ...], types: tuple[TypeEngine[Any], ...]
    ) -> None:
        self.name, self.keys, self.types = name, keys, types

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        processors = [
            (index, processor)
            for index, one in enumerate(self.types)
            if (processor := one.dialect_impl(dialect).result_processor(dialect, coltype))
        ]
        made: Any = namedtuple(self.name, self.keys)  # type: ignore[misc]  # known only now
        make: Callable[[Iterable[Any]], Any] = made._make

        def process(record: Iterable[Any]) -> Any:
            values = list(record)
            for index, processor in processors:
                values[index] = processor(values[index])
            return make(values)

        return process


class _RecordsType(UserDefinedType[Any]):
    """An array of records, as a list; one of none is NULL to Postgres and an empty list here."""

    cache_ok = True

    def __init__(self, record: _RecordType) -> None:
        self.record = record

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        process = self.record.result_processor(dialect, coltype)
        return lambda records: [process(one) for one in records or ()]


#: What is shown of a picture's media, as ``media`` of a row.
MEDIA = Record(
    "media",
    (
        Media.path,
        Media.thumbnail_path,
        Media.content_type,
        Media.width,
        Media.height,
        Media.size,
        Media.dominant_color,
    ),
)


def as_array(ids: Collection[UUID]) -> Any:
    """Ids as one parameter, to compare with by ``any_``."""
    return cast(list(ids), ARRAY(Uuid))


class Children:
    """A collection to load.

    Args:
        collection: such as ``Product.images``; it says the order.
        parent: the column that refers to the row, such as ``ProductImage.product_id``.
        further: columns of ``joined``, or a record of them, to have with those of the child.
        joined: a relationship of the child; a child without it is loaded as well.
        without: columns of the child that nobody reads here.

    Attributes:
        column: to be selected with the row; the collection's value.
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
        child, owner = collection.property.mapper, collection.property.parent
        omitted = {column.key for column in without}
        columns = [
            getattr(child.class_, one.key) for one in child.column_attrs if one.key not in omitted
        ]
        record = Record(child.class_.__name__, [*columns, *further])
        rows = aggregate_order_by(record.expression, *collection.property.order_by)
        query = select(type_coerce(func.array_agg(rows), _RecordsType(record.type)))
        query = query.select_from(child.class_)
        if joined is not None:
            query = query.outerjoin(joined)
        (key,) = owner.primary_key
        query = query.where(parent == key).correlate(owner.class_)
        self.column: Any = query.scalar_subquery().label(self._key)

    def fill(self, row: Any, found: list[Any]) -> None:
        """Give a row its collection."""
        set_committed_value(row, self._key, found)
