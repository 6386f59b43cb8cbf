"""How full queues and database are, for Prometheus. Every runner records the same."""

from __future__ import annotations

from dataclasses import dataclass

from db.repositories.monitoring import Monitor
from db.repositories.scope import PlatformScope
from db.session import Database
from telemetry.metrics import (
    DATABASE_BYTES,
    DATABASE_CONNECTIONS,
    DATABASE_MAX_CONNECTIONS,
    QUEUE_OLDEST_WAIT,
    QUEUE_PENDING,
    QUEUE_RUNNING,
    QUEUE_WORKERS,
)

# Ray exports what was recorded last, every ten seconds.
GAUGE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Gauges:
    """One chore of a runner."""

    database: Database

    async def record(self) -> None:
        """Look once."""
        async with self.database.read() as session:
            monitor = Monitor(session, PlatformScope())
            queues, use = await monitor.queues(), await monitor.database()
        for queue in queues:
            QUEUE_PENDING.set(queue.pending, queue=queue.name)
            QUEUE_RUNNING.set(queue.running, queue=queue.name)
            QUEUE_WORKERS.set(queue.workers, queue=queue.name)
            QUEUE_OLDEST_WAIT.set(queue.oldest_wait or 0.0, queue=queue.name)
        DATABASE_CONNECTIONS.set(use["connections"])
        DATABASE_MAX_CONNECTIONS.set(use["max_connections"])
        DATABASE_BYTES.set(use["bytes"])
