"""What a claim costs when much is queued: `python -m benchmarks.claim`.

The promise: with 100,000 pending tasks of 1,000 organizations a claim takes at most twice as long
as with 100. Both sides run on one server, in turns, so that the machine's other work weighs on
both alike.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from db import url as database_url
from db.embedded import EmbeddedPostgres
from db.migrate import upgrade

# (pending tasks, organizations)
SMALL = (100, 10)
LARGE = (100_000, 1_000)
CLAIMS = 300
LIMIT = 2.0

# Rows as the queue would have left them; the triggers, made for single requests, stand aside.
FILL = """
SET session_replication_role = replica;
INSERT INTO organizations (id, name, slug)
    SELECT gen_random_uuid(), 'org ' || n, 'org-' || n FROM generate_series(1, {organizations}) n;
INSERT INTO event_cursors SELECT id, 0 FROM organizations;
INSERT INTO lanes (queue, organization_id, vtime, wake_at, pending, pending_cost)
    SELECT 'generation', id, 0, now(), {tasks} / {organizations}, {tasks} / {organizations}
    FROM organizations;
INSERT INTO tasks (id, organization_id, type, queue, priority, config)
    SELECT 'task_' || lpad(n::text, 26, '0'), owner.id, 'generation', 'generation', n % 3,
        '{{"prompt": "fashion model wearing the dress, studio lighting", "num_outputs": 4}}'
    FROM generate_series(0, {tasks} - 1) n
    JOIN (SELECT id, row_number() OVER () - 1 AS k FROM organizations) owner
        ON owner.k = n % {organizations};
SET session_replication_role = origin;
"""
CLAIM = "SELECT id, attempt FROM claim_tasks('generation', 'bench', 1000000, 1, 30)"
# Puts back what was claimed, so the number of pending tasks stays what it is.
RELEASE = """
UPDATE tasks SET status = 'pending', lease_expires_at = NULL WHERE id = $1 AND attempt = $2
"""


@dataclass
class Side:
    """One database with its backlog, and the seconds that its claims took."""

    name: str
    connection: asyncpg.Connection
    seconds: list[float]

    async def claim_once(self) -> None:
        """Time one claim, and undo it."""
        started = time.perf_counter()
        row = await self.connection.fetchrow(CLAIM)
        self.seconds.append(time.perf_counter() - started)
        assert row is not None, "the queue ran dry"
        await self.connection.execute(RELEASE, row["id"], row["attempt"])

    def summary(self) -> dict[str, float]:
        """Percentiles in milliseconds."""
        cuts = statistics.quantiles(self.seconds, n=100)
        return {"p50_ms": round(cuts[49] * 1000, 3), "p99_ms": round(cuts[98] * 1000, 3)}


async def fill(url: str, name: str, tasks: int, organizations: int) -> Side:
    """A new database ``name`` with that backlog, analyzed."""
    parsed = database_url.parse(url)
    admin = await asyncpg.connect(**database_url.connect_arguments(parsed))
    await admin.execute(f"DROP DATABASE IF EXISTS {name}")
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    own = parsed.set(database=name)
    await upgrade(own.render_as_string(hide_password=False))
    connection = await asyncpg.connect(**database_url.connect_arguments(own))
    await connection.execute(FILL.format(tasks=tasks, organizations=organizations))
    await connection.execute("VACUUM ANALYZE")
    return Side(name, connection, [])


async def measure(url: str, claims: int = CLAIMS) -> dict[str, object]:
    """Claim ``claims`` times from each side, alternating, and compare the medians.

    Args:
        url: of a Postgres where databases may be created.
        claims: per side; some more, not counted, come first.
    """
    sides = [await fill(url, "bench_small", *SMALL), await fill(url, "bench_large", *LARGE)]
    for count in (20, claims):
        for side in sides:
            side.seconds.clear()
        for _ in range(count):
            for side in sides:
                await side.claim_once()
    for side in sides:
        await side.connection.close()
    small, large = (side.summary() for side in sides)
    ratio = round(large["p50_ms"] / small["p50_ms"], 3)
    return {
        "claims": claims,
        "small": {"tasks": SMALL[0], "organizations": SMALL[1], **small},
        "large": {"tasks": LARGE[0], "organizations": LARGE[1], **large},
        "p50_ratio": ratio,
        "limit": LIMIT,
        "passed": ratio <= LIMIT,
    }


def run(claims: int = CLAIMS) -> dict[str, object]:
    """The benchmark on ``DATABASE_URL``, or on an embedded server of its own."""
    if url := os.environ.get("DATABASE_URL"):
        return asyncio.run(measure(url, claims))
    home = Path(tempfile.mkdtemp(prefix="sartiq-bench-"))
    home.chmod(0o755)
    server = EmbeddedPostgres(home)
    try:
        return asyncio.run(measure(server.start(), claims))
    finally:
        server.stop()
        shutil.rmtree(home)


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
