"""Connections and transactions.

A handler that only reads asks for a :class:`ReadSession`; one that writes asks for a
:class:`WriteSession`, so its signature says which it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import orjson
from sqlalchemy import event, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from configs.settings import DatabaseSettings, Settings
from db import url as database_url
from db.errors import connect
from db.listen import Listener, Notification


class ReadSession(AsyncSession):
    """A session whose transaction Postgres itself keeps read-only."""


class WriteSession(ReadSession):
    """A session that may change rows. Services only ``flush()``; whoever opened it commits."""


class Database:
    """The pool of one process. It opens connections when they are needed, so it may be made before
    the server answers."""

    def __init__(self, bind: AsyncEngine | AsyncConnection, raw_url: str) -> None:
        self._bind = bind
        self._url = database_url.parse(raw_url)
        self._listeners: list[Listener] = []

    @classmethod
    def connect(cls, settings: Settings, *, application_name: str = "sartiq") -> Self:
        """The database that the settings name.

        Raises:
            db.url.DatabaseUrlError: ``DATABASE_URL`` is unset or not usable.
        """
        if settings.database_url is None:
            raise database_url.DatabaseUrlError(
                "DATABASE_URL is not set; `sartiq up` starts a Postgres of its own"
            )
        raw = settings.database_url.get_secret_value()
        return cls(make_engine(raw, settings.database, application_name=application_name), raw)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A read-only transaction (READ COMMITTED), given up at the end."""
        async with ReadSession(
            self._bind, autoflush=False, expire_on_commit=False, **self._joined()
        ) as session:
            if isinstance(self._bind, AsyncEngine):
                await session.connection(execution_options={"postgresql_readonly": True})
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """One transaction, committed when the block ends and rolled back when it raises."""
        async with (
            WriteSession(self._bind, expire_on_commit=False, **self._joined()) as session,
            session.begin(),
        ):
            yield session

    async def ping(self) -> None:
        """Return when the server answers; raise its error when it does not."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def listen(
        self,
        channels: Sequence[str],
        callback: Callable[[Notification], None],
        *,
        on_gap: Callable[[], None],
    ) -> Listener:
        """Call ``callback`` for every notification on ``channels`` until :meth:`close` (or the
        listener's own).

        The connection is its own and comes back by itself; after that, and at the start,
        ``on_gap()`` says that notifications may have been missed: look at the tables.
        Both run on the event loop and must not block it.
        """
        listener = Listener(
            database_url.connect_arguments(self._url), channels, callback, on_gap=on_gap
        )
        self._listeners.append(listener)
        await listener.start()
        return listener

    async def close(self) -> None:
        """Stop listening and close every connection."""
        for listener in self._listeners:
            await listener.close()
        self._listeners.clear()
        if isinstance(self._bind, AsyncEngine):
            await self._bind.dispose()

    def _joined(self) -> dict[str, Any]:
        # Bound to one connection, somebody else owns the outer transaction.
        if isinstance(self._bind, AsyncEngine):
            return {}
        return {"join_transaction_mode": "create_savepoint"}


def make_engine(
    raw_url: str, limits: DatabaseSettings, *, application_name: str = "sartiq"
) -> AsyncEngine:
    """An engine on asyncpg with the limits of the settings."""
    engine = create_async_engine(
        database_url.parse(raw_url),
        pool_size=limits.pool_size,
        max_overflow=limits.pool_overflow,
        pool_timeout=limits.pool_timeout_seconds,
        pool_pre_ping=False,
        pool_use_lifo=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": limits.pool_timeout_seconds,
            "async_creator_fn": connect,
            "server_settings": {
                "application_name": application_name,
                "statement_timeout": f"{limits.statement_timeout_seconds * 1000:.0f}",
                "idle_in_transaction_session_timeout": (
                    f"{limits.statement_timeout_seconds * 2000:.0f}"
                ),
                "timezone": "UTC",
                "jit": "off",
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: Any, _record: Any, _fairy: Any) -> None:
    # The driver hears of a server's end at once, so no ping is needed to find dead connections:
    # after a restart the pool opens new ones, and no request fails for it.
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
