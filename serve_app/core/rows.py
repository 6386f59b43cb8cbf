"""From what the database refuses to what a client is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from db.models import Base
from db.repositories.scoped import ScopedWriter, UnknownSort
from serve_app.core.errors import Conflict, Forbidden, NotFound, UnprocessableField

RowT = TypeVar("RowT")
OwnT = TypeVar("OwnT", bound=Base)


class InUse(Conflict):
    """Something refers to what should be removed."""

    code = "in_use"


class Taken(Conflict):
    """A value must be unique, and another resource has it."""

    code = "taken"


def found(row: RowT | None, name: str) -> RowT:
    """The row, which is there.

    Raises:
        NotFound: it is not, or it is another tenant's.
    """
    if row is None:
        raise NotFound(f"{name} not found")
    return row


async def lock_own(rows: ScopedWriter[OwnT], row_id: UUID, name: str) -> OwnT:
    """The organization's own row, which nobody else changes until this transaction ends.

    Raises:
        NotFound: there is none.
        Forbidden: it is a standard one, of all organizations.
    """
    row = await rows.lock(row_id)
    if row is None and await rows.get(row_id) is not None:
        raise Forbidden(
            f"This {name.lower()} is a standard one, which nobody changes; add your own"
        )
    return found(row, name)


def archiving(changes: dict[str, Any], archived_at: datetime | None) -> dict[str, Any]:
    """Changes of a row, with the client's ``is_archived`` as the time that is stored."""
    if "is_archived" not in changes:
        return changes
    rest = {name: value for name, value in changes.items() if name != "is_archived"}
    when = (archived_at or datetime.now(UTC)) if changes["is_archived"] else None
    return rest | {"archived_at": when}


@contextmanager
def sorting() -> Iterator[None]:
    """Around the query of a list.

    Raises:
        UnprocessableField: the list has no such field to sort by.
    """
    try:
        yield
    except UnknownSort as error:
        raise UnprocessableField(str(error), ("query", "sort")) from error


@contextmanager
def refusals(
    name: str, unique: Mapping[str, str] | None = None, *, instead: str = "archive it instead"
) -> Iterator[None]:
    """Around statements that the database may refuse.

    Args:
        name: of the resource, such as ``This brand``.
        unique: by the name of a constraint, what to say when it is broken.
        instead: what to do with one that is in use.

    Raises:
        InUse: the row is referred to; the text says by what.
        Taken: another row has one of the values.
        NotFound: the row was removed in the meantime.
    """
    try:
        yield
    except IntegrityError as error:
        cause = error.orig.__cause__ if error.orig else None
        constraint = getattr(cause, "constraint_name", None) or ""
        table = getattr(cause, "table_name", None) or "another resource"
        match getattr(cause, "sqlstate", None):
            case "23503" if "is still referenced" in str(cause):
                users = table.replace("_", " ")
                raise InUse(f"{name} is still used by {users}; {instead}") from error
            case "23503":
                raise NotFound("What this refers to has been removed") from error
            case "23505" if unique and constraint in unique:
                raise Taken(unique[constraint]) from error
            case _:
                raise
