"""Bring a database to a revision of the schema; safe to call from several processes at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from db import url as database_url
from db.session import ReadSession

HERE = Path(__file__).resolve().parent
# Any constant that nobody else uses: the migrations of this platform.
_LOCK = 0x5A_47_10_01


def alembic_config() -> Config:
    """Alembic's configuration, wherever the process runs."""
    config = Config(HERE / "alembic.ini")
    config.set_main_option("script_location", str(HERE / "migrations"))
    return config


async def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade the database at ``url``. Of two callers, the second waits and finds nothing to do.

    Raises:
        db.url.DatabaseUrlError: ``url`` is not usable.
    """
    engine = create_async_engine(database_url.parse(url), poolclass=NullPool)
    try:
        async with engine.connect() as guard, engine.connect() as connection:
            await guard.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            await _run(connection, revision)
    finally:
        await engine.dispose()


@cache
def head() -> str:
    """The newest revision of the schema."""
    revision = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert revision is not None
    return revision


async def is_current(session: ReadSession) -> bool:
    """Whether the database has the newest schema."""
    if await session.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return False
    return bool(await session.scalar(text("SELECT version_num FROM alembic_version")) == head())


async def _run(connection: AsyncConnection, revision: str) -> None:
    def run(sync_connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = sync_connection
        command.upgrade(config, revision)

    await connection.run_sync(run)
