"""``DATABASE_URL`` in any usual spelling, for SQLAlchemy and for asyncpg itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"
_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"})
# What libpq puts into a URL and asyncpg calls by another name.
_RENAMED = {"sslmode": "ssl", "connect_timeout": "timeout"}
_UNDERSTOOD = frozenset({"host", "port", "ssl", "timeout"})


class DatabaseUrlError(ValueError):
    """``DATABASE_URL`` is no Postgres URL that this platform can use; the text says why."""


def parse(raw: str) -> URL:
    """The URL for SQLAlchemy's asyncpg dialect.

    ``postgres://``, ``postgresql://`` and the dialect spellings are one; a Unix socket is
    ``?host=/folder``; ``sslmode`` and ``connect_timeout`` are translated.

    Raises:
        DatabaseUrlError: another database, an unreadable URL, or an unknown parameter.
    """
    try:
        url = make_url(raw)
    except ArgumentError as error:
        raise DatabaseUrlError("DATABASE_URL cannot be read as a URL") from error
    if url.drivername not in _SCHEMES:
        raise DatabaseUrlError(f"DATABASE_URL must be postgresql://…, not {url.drivername}://…")
    query = {_RENAMED.get(name, name): value for name, value in url.query.items()}
    if unknown := query.keys() - _UNDERSTOOD:
        raise DatabaseUrlError(f"DATABASE_URL has unknown parameters: {', '.join(sorted(unknown))}")
    return url.set(drivername=DRIVER, query=query)


def connect_arguments(url: URL) -> dict[str, Any]:
    """Arguments of ``asyncpg.connect`` for a URL of :func:`parse`."""
    query = url.query
    arguments: dict[str, Any] = {
        "host": query.get("host", url.host),
        "port": int(str(query["port"])) if "port" in query else url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
        "ssl": query.get("ssl"),
        "timeout": float(str(query["timeout"])) if "timeout" in query else None,
    }
    return {name: value for name, value in arguments.items() if value is not None}
