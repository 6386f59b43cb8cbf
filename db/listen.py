"""LISTEN on a connection of its own that comes back by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg

logger = logging.getLogger(__name__)

# What the triggers and queries of this package notify.
TASKS_CHANNEL = "sartiq_tasks"
EVENTS_CHANNEL = "sartiq_events"
CANCEL_CHANNEL = "sartiq_cancel"
SIGNALS_CHANNEL = "sartiq_signals"

_PROBE_SECONDS = 10.0
_RECONNECT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)
_CONNECTION_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(frozen=True, slots=True)
class Notification:
    """One NOTIFY: a queue's name, an organization's id, a task's id or a signal, by channel."""

    channel: str
    payload: str


class Listener:
    """See :meth:`db.session.Database.listen`."""

    def __init__(
        self,
        arguments: dict[str, Any],
        channels: Sequence[str],
        callback: Callable[[Notification], None],
        *,
        on_gap: Callable[[], None],
    ) -> None:
        self._arguments = arguments
        self._channels = tuple(channels)
        self._callback = callback
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when the first connection listens.

        Raises:
            OSError, asyncpg.PostgresError: the server cannot be reached.
        """
        connection, lost = await self._open()
        self._task = asyncio.create_task(self._run(connection, lost), name="postgres-listen")

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self, connection: Any, lost: asyncio.Event) -> None:
        while True:
            try:
                await self._probe_until(lost, connection)
            finally:
                connection.terminate()
            logger.warning("lost the LISTEN connection; connecting again")
            connection, lost = await self._reopen()

    async def _open(self) -> tuple[Any, asyncio.Event]:
        lost = asyncio.Event()
        connection = await asyncpg.connect(
            **{"timeout": 5.0, **self._arguments},
            server_settings={"application_name": "sartiq listen"},
        )
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            for channel in self._channels:
                await connection.add_listener(channel, self._receive)
        except BaseException:
            connection.terminate()
            raise
        self._on_gap()
        return connection, lost

    async def _reopen(self) -> tuple[Any, asyncio.Event]:
        attempt = 0
        while True:
            try:
                return await self._open()
            except (*_CONNECTION_ERRORS, TimeoutError) as error:
                logger.info("cannot listen yet: %s", error)
            await asyncio.sleep(_RECONNECT_SECONDS[min(attempt, len(_RECONNECT_SECONDS) - 1)])
            attempt += 1

    async def _probe_until(self, lost: asyncio.Event, connection: Any) -> None:
        # A peer that vanished without closing the connection is noticed by the query only.
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), _PROBE_SECONDS)
                return
            try:
                await connection.execute("SELECT 1", timeout=_PROBE_SECONDS)
            except (*_CONNECTION_ERRORS, TimeoutError):
                return

    def _receive(self, _connection: Any, _pid: int, channel: str, payload: str) -> None:
        self._callback(Notification(channel, payload))
