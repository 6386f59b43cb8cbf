"""How full queues and database are, and how hosted providers do, for Prometheus. Every runner
records the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from db.repositories.monitoring import Monitor
from db.repositories.scope import PlatformScope
from db.session import Database
from serve_app.core.providers.breaker import State, circuits
from telemetry.metrics import (
    DATABASE_BYTES,
    DATABASE_CONNECTIONS,
    DATABASE_MAX_CONNECTIONS,
    PROVIDER_CIRCUIT,
    QUEUE_OLDEST_WAIT,
    QUEUE_PENDING,
    QUEUE_RUNNING,
    QUEUE_WORKERS,
)

# Ray exports what was recorded last, every ten seconds.
GAUGE_SECONDS = 10.0
_OPEN: Mapping[State, float] = {"closed": 0.0, "half_open": 0.5, "open": 1.0}


@dataclass(frozen=True, slots=True)
class Gauges:
    """One chore of a runner."""

    database: Database
    providers: tuple[str, ...] = ()

    async def record(self) -> None:
        """Look once."""
        async with self.database.read() as session:
            monitor = Monitor(session, PlatformScope())
            queues, use = await monitor.queues(), await monitor.database()
            states = await circuits(session, self.providers, datetime.now(UTC))
        for queue in queues:
            QUEUE_PENDING.set(queue.pending, queue=queue.name)
            QUEUE_RUNNING.set(queue.running, queue=queue.name)
            QUEUE_WORKERS.set(queue.workers, queue=queue.name)
            QUEUE_OLDEST_WAIT.set(queue.oldest_wait or 0.0, queue=queue.name)
        for circuit in states:
            PROVIDER_CIRCUIT.set(_OPEN[circuit.state], provider=circuit.provider)
        DATABASE_CONNECTIONS.set(use["connections"])
        DATABASE_MAX_CONNECTIONS.set(use["max_connections"])
        DATABASE_BYTES.set(use["bytes"])
