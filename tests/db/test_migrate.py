from __future__ import annotations

import asyncio

from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from db import url as database_url
from db.migrate import alembic_config, upgrade
from tests.fixtures.database import fresh_database


async def run_alembic(url: str, *steps: tuple[str, str]) -> None:
    def run(connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        for name, revision in steps:
            if name == "check":
                command.check(config)
            else:
                getattr(command, name)(config, revision)

    engine = create_async_engine(database_url.parse(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


async def test_the_models_are_what_the_migrations_build(own_database_url: str) -> None:
    await run_alembic(own_database_url, ("check", ""))


async def test_processes_that_start_at_once_do_not_collide(postgres_url: str) -> None:
    async with fresh_database(postgres_url) as url:
        await asyncio.gather(*(upgrade(url) for _ in range(4)))
        await upgrade(url)
        await run_alembic(url, ("check", ""))


async def test_down_leaves_nothing(postgres_url: str) -> None:
    left = text("""
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """)
    async with fresh_database(postgres_url) as url:
        await upgrade(url)
        await run_alembic(url, ("downgrade", "base"))
        engine = create_async_engine(database_url.parse(url), poolclass=NullPool)
        async with engine.connect() as connection:
            names = set(await connection.scalars(left))
        await engine.dispose()
    assert names == {"alembic_version", "alembic_version_pkc"}
