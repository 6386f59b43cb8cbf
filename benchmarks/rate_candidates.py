"""Where the state of a rate limit could live: `python -m benchmarks.rate_candidates`.

One caller asks one thing after the other: a statement on Postgres for each request, a named Ray
actor, and the process's own permits, renewed from Postgres. No platform is needed.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray

from benchmarks.harness import quantiles
from configs.plans import ALL_REQUESTS, Plan, Plans, Rate, load_plans
from configs.sections import DatabaseSettings
from configs.settings import Settings
from db.embedded import EmbeddedPostgres
from db.migrate import upgrade
from db.repositories.limits import LimitWriter
from db.session import Database
from serve_app.core.rate_limits import RateLimiter

_CALLS = 3000
_PER_MINUTE = 600_000


class Counter:
    """The same algorithm in one process."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}

    def take(self, subject: str, requests: int, seconds: float) -> bool:
        """One permit, if there is one."""
        now = time.time()
        arrival = max(self._arrivals.get(subject, 0.0), now) + seconds / requests
        if arrival - now > seconds:
            return False
        self._arrivals[subject] = arrival
        return True


async def measure(url: str) -> dict[str, dict[str, float]]:
    """Milliseconds of each candidate, one caller."""
    await upgrade(url)
    database = Database.open(url, DatabaseSettings())
    rate, subject = Rate(requests=_PER_MINUTE, seconds=60), uuid4()
    starter = load_plans(Settings(environment="test"))["starter"]
    plan = Plan.model_validate(starter.model_dump() | {"requests_per_minute": _PER_MINUTE})
    limiter = RateLimiter(database, Plans({"starter": plan}, "starter"), counts=True)
    actor: Any = ray.remote(Counter).options(name="limits", num_cpus=0.1).remote()

    async def statement() -> None:
        async with database.statement() as session:
            await LimitWriter(session).take_permits(subject, "requests", rate, wanted=1)

    async def call() -> None:
        await actor.take.remote(str(subject), _PER_MINUTE, 60.0)

    async def permits() -> None:
        await limiter.spend(subject, None, (ALL_REQUESTS,))

    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "a statement for each request": statement,
        "a named Ray actor": call,
        "permits for a second": permits,
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(_CALLS + 200):
        for name, way in ways.items():
            began = time.perf_counter()
            await way()
            if number >= 200:
                took[name].append((time.perf_counter() - began) * 1e3)
    await database.close()
    return {name: quantiles(samples) for name, samples in took.items()}


def main() -> None:
    """On a Postgres and a Ray of their own."""
    home = Path(tempfile.mkdtemp(prefix="sartiq-bench-"))
    home.chmod(0o755)
    server = EmbeddedPostgres(home)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        print(json.dumps(asyncio.run(measure(server.start())), indent=1))
    finally:
        ray.shutdown()
        server.stop()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
