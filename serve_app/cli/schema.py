"""Which revision of the schema a database has, and which is the newest."""

from __future__ import annotations

import asyncpg
from alembic.script import ScriptDirectory

from db import url as database_url
from db.migrate import alembic_config

_CONNECT_SECONDS = 5.0


def newest_revision() -> str | None:
    """The head of the migrations that this checkout has."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


async def read_revision(url: str) -> str | None:
    """The revision of a database; None when it is empty.

    Raises:
        DatabaseUrlError: ``url`` is not usable.
        OSError, asyncpg.PostgresError: the database does not let us in.
    """
    arguments = database_url.connect_arguments(database_url.parse(url))
    connection = await asyncpg.connect(**{"timeout": _CONNECT_SECONDS, **arguments})
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()
