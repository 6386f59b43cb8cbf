"""Waiting for something to change in an organization, without asking over and over."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db.listen import EVENTS_CHANNEL, Notification
from db.session import Database

T = TypeVar("T")

# Should a notification be missed, this is how late the change is seen.
_LOOK_AGAIN_SECONDS = 5.0


class Changes:
    """Wakes who waits when an event of their organization is committed; one listener a process."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def listen(self, database: Database) -> None:
        """Begin; the database's own ``close`` ends it."""
        await database.listen([EVENTS_CHANNEL], self._on_notification, on_gap=self._wake_all)

    async def until(
        self,
        organization: str,
        look: Callable[[], Awaitable[T]],
        is_over: Callable[[T], bool],
        timeout_seconds: float,
    ) -> T:
        """Look, and look again after each change, until it is over or time has run out.

        Args:
            organization: its id, whose events count.
            look: reads the present state, in a transaction of its own.
            is_over: whether there is nothing more to wait for.
            timeout_seconds: 0 looks once.

        Returns:
            What was seen last.
        """
        changed = asyncio.Event()
        self._waiting[organization].add(changed)
        try:
            deadline = asyncio.get_running_loop().time() + timeout_seconds
            while True:
                changed.clear()
                seen = await look()
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0 or is_over(seen):
                    return seen
                try:
                    async with asyncio.timeout(min(left, _LOOK_AGAIN_SECONDS)):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            self._waiting[organization].discard(changed)
            if not self._waiting[organization]:
                del self._waiting[organization]

    def _on_notification(self, notification: Notification) -> None:
        for event in self._waiting.get(notification.payload, ()):
            event.set()

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()
