"""Telling a database that is away from a statement that is wrong."""

from __future__ import annotations

from typing import Any

import asyncpg
from sqlalchemy import exc

# SQLSTATE: connection exceptions, operator intervention (a shutdown), no connections left.
_UNAVAILABLE = ("08", "57P", "53300")

# Serialization failure, deadlock detected.
_GIVEN_UP = ("40001", "40P01")


class DatabaseUnavailable(Exception):
    """No connection to Postgres could be opened; the text says why."""


async def connect(**arguments: Any) -> Any:
    """``asyncpg.connect``, with one error for the many ways in which a server is not there.

    Raises:
        DatabaseUnavailable: it cannot be reached, or takes no connections at the moment.
    """
    try:
        return await asyncpg.connect(**arguments)
    except (OSError, asyncpg.InterfaceError) as error:  # OSError: timeouts too
        raise DatabaseUnavailable(f"Postgres cannot be reached: {error}") from error
    except asyncpg.PostgresError as error:
        if not str(error.sqlstate).startswith(_UNAVAILABLE):
            raise
        raise DatabaseUnavailable(f"Postgres takes no connections: {error}") from error


def is_unavailable(error: BaseException) -> bool:
    """Whether the error means that the database is away and may come back, not that it was asked
    for something wrong."""
    match error:
        case DatabaseUnavailable() | exc.TimeoutError():
            return True
        case exc.DBAPIError():
            state = str(getattr(error.orig, "sqlstate", None))
            return error.connection_invalidated or state.startswith(_UNAVAILABLE)
    return False


def was_given_up(error: BaseException) -> bool:
    """Whether Postgres gave the transaction up for another's sake, as it does in a deadlock."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in _GIVEN_UP


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is tried again: the database was away, or
    gave this one up for another's sake."""
    return is_unavailable(error) or isinstance(error, OSError) or was_given_up(error)
