"""How much work waits: for autoscaling, and for a runner that wants to sleep."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from db import queries
from db.session import ReadSession


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work of one queue: tasks that could start now, and tasks that run."""

    runnable: int
    running: int


class QueueMonitor:
    """Looks at the queues of all organizations without changing them."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    async def backlog(self, queues: Collection[str], *, limit: int = 1000) -> dict[str, Backlog]:
        """The backlog of each queue. Runnable tasks are counted up to ``limit``, which keeps the
        cost flat however many wait."""
        result = await self._session.execute(
            queries.BACKLOG, {"queues": list(queues), "limit": limit}
        )
        return {row.queue: Backlog(row.runnable, row.running) for row in result}

    async def next_wake(self, queue: str) -> datetime | None:
        """When the queue next has a task to run (now or in the past: at once); None: nothing is
        queued."""
        result = await self._session.execute(queries.NEXT_WAKE, {"queue": queue})
        wake_at: datetime | None = result.scalar_one()
        return wake_at
