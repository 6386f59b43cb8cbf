"""Waiting for something to change in an organization, without asking over and over, and hearing
what running tasks signal."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from pydantic import ValidationError

from db.listen import EVENTS_CHANNEL, SIGNALS_CHANNEL, Notification
from db.session import Database
from serve_app.core.signals import Latest, Signal

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Should a notification be missed, this is how late the change is seen.
_LOOK_AGAIN_SECONDS = 5.0


class Changes:
    """Wakes who waits when an event of their organization is committed, and hands out what running
    tasks signal; one listener a process."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listening: defaultdict[str, set[Latest]] = defaultdict(set)

    async def listen(self, database: Database) -> None:
        """Begin; the database's own ``close`` ends it."""
        channels = [EVENTS_CHANNEL, SIGNALS_CHANNEL]
        await database.listen(channels, self._on_notification, on_gap=self._wake_all)

    @contextmanager
    def waking(self, organization: str, changed: asyncio.Event) -> Iterator[None]:
        """Set ``changed`` at every event of an organization that is committed meanwhile."""
        with _member(self._waiting, organization, changed):
            yield

    @contextmanager
    def signals(self, task_id: str, latest: Latest) -> Iterator[None]:
        """Keep the newest signals of a task in ``latest`` meanwhile."""
        with _member(self._listening, task_id, latest):
            yield

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
        with self.waking(organization, changed):
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

    def _on_notification(self, notification: Notification) -> None:
        if notification.channel == SIGNALS_CHANNEL:
            self._on_signal(notification.payload)
            return
        for event in self._waiting.get(notification.payload, ()):
            event.set()

    def _on_signal(self, payload: str) -> None:
        try:
            signal = Signal.model_validate_json(payload)
        except ValidationError:  # of another version, while replicas are being replaced
            logger.warning("a signal makes no sense: %.200s", payload)
            return
        for latest in self._listening.get(signal.task_id, ()):
            latest.put(signal)

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()


@contextmanager
def _member(groups: defaultdict[str, set[T]], name: str, member: T) -> Iterator[None]:
    groups[name].add(member)
    try:
        yield
    finally:
        groups[name].discard(member)
        if not groups[name]:
            del groups[name]
