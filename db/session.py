"""Connections and transactions.

A handler that only reads asks for a :class:`ReadSession`; one that writes asks for a
:class:`WriteSession`, so its signature says which it is.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import orjson
from sqlalchemy import event, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from configs.sections import DatabaseSettings
from configs.settings import Settings
from db import url as database_url
from db.errors import connect
from db.listen import Listener, Notification

logger = logging.getLogger(__name__)


class ReadSession(AsyncSession):
    """A session that Postgres itself keeps read-only. Each statement sees what is committed when it
    begins, as in any READ COMMITTED transaction."""


class WriteSession(ReadSession):
    """A session that may change rows. Services only ``flush()``; whoever opened it commits.

    What is no row, such as a stored object, follows the transaction: see :meth:`after_commit` and
    :meth:`after_rollback`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._after: dict[bool, list[Callable[[], Awaitable[None]]]] = {True: [], False: []}

    def after_commit(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something once the rows are there for good; it fails without consequence."""
        self._after[True].append(work)

    def after_rollback(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something if the transaction comes to nothing; it fails without consequence."""
        self._after[False].append(work)

    async def settle(self, *, committed: bool) -> None:
        """Do what waits for this end of the transaction; for whoever ended it."""
        for work in self._after[committed]:
            try:
                await work()
            except Exception:
                logger.exception("work after a transaction failed")


class Database:
    """The pools of one process. They open connections when they are needed, so it may be made
    before the server answers.

    Args:
        writes: where write sessions get their connections, or the one connection of all of them;
            then somebody else owns the outer transaction.
        reads: the same for read sessions.
        raw_url: ``DATABASE_URL``, for what needs a connection of its own.
    """

    def __init__(
        self,
        writes: AsyncEngine | AsyncConnection,
        reads: AsyncEngine | AsyncConnection,
        raw_url: str,
    ) -> None:
        self._writes, self._reads = writes, reads
        self._single = _committing(writes)
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
        return cls.open(raw, settings.database, application_name=application_name)

    @classmethod
    def open(
        cls, raw_url: str, limits: DatabaseSettings, *, application_name: str = "sartiq"
    ) -> Self:
        """The database at a URL, with a pool for writes and one for reads."""
        writes, reads = (
            make_engine(raw_url, limits, application_name=application_name, read_only=read_only)
            for read_only in (False, True)
        )
        return cls(writes, reads, raw_url)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Statements that change nothing, each for itself."""
        async with ReadSession(
            self._reads, autoflush=False, expire_on_commit=False, **_joined(self._reads)
        ) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """One transaction, committed when the block ends and rolled back when it raises."""
        async with WriteSession(
            self._writes, expire_on_commit=False, **_joined(self._writes)
        ) as session:
            try:
                async with session.begin():
                    yield session
            except BaseException:
                await session.settle(committed=False)
                raise
            await session.settle(committed=True)

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[WriteSession]:
        """For one statement that changes something and commits by itself: one round trip instead
        of three."""
        async with WriteSession(
            self._single, expire_on_commit=False, **_joined(self._single)
        ) as session:
            yield session
            await session.commit()

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
        for bind in (self._writes, self._reads):
            if isinstance(bind, AsyncEngine):
                await bind.dispose()


def _joined(bind: AsyncEngine | AsyncConnection) -> dict[str, Any]:
    if isinstance(bind, AsyncEngine):
        return {}
    return {"join_transaction_mode": "create_savepoint"}


def _committing(bind: AsyncEngine | AsyncConnection) -> AsyncEngine | AsyncConnection:
    if isinstance(bind, AsyncEngine):
        return bind.execution_options(isolation_level="AUTOCOMMIT")
    return bind


def make_engine(
    raw_url: str,
    limits: DatabaseSettings,
    *,
    application_name: str = "sartiq",
    read_only: bool = False,
) -> AsyncEngine:
    """An engine on asyncpg with the limits of the settings.

    A read-only one opens no transactions: BEGIN and ROLLBACK around a single SELECT would be two
    more round trips, and a third of the time that it takes.
    """
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if read_only else {}
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
                "default_transaction_read_only": "on" if read_only else "off",
            },
        },
        **options,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: Any, _record: Any, _fairy: Any) -> None:
    # The driver hears of a server's end at once, so no ping is needed to find dead connections:
    # after a restart the pool opens new ones, and no request fails for it.
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
