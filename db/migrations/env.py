"""Alembic's environment: the connection of :func:`db.migrate.upgrade`, or one to DATABASE_URL."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from configs.settings import get_settings
from db import url as database_url
from db.models import Base


def run(connection: Connection) -> None:
    """Run the migrations, each in its own transaction, giving up on a lock after 5 s rather than
    queueing live traffic behind it."""
    with connection.begin():
        connection.execute(text("SET lock_timeout = '5s'"))
        connection.execute(text("SET statement_timeout = 0"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_from_command_line() -> None:
    """What `alembic -c db/alembic.ini …` does."""
    secret = get_settings().database_url
    if secret is None:
        raise SystemExit("set DATABASE_URL to the database to migrate")
    engine = create_async_engine(database_url.parse(secret.get_secret_value()), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("migrations run online only: they are tested against a real server")

if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(run_from_command_line())
