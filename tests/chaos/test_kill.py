"""Real processes die in mid-task; every task still ends completed, once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from db import url as database_url
from db.embedded import EmbeddedPostgres
from tests.e2e.client import ended, submit
from tests.fixtures.platform import LivePlatform

pytestmark = [pytest.mark.platform, pytest.mark.chaos]

# Long enough to be killed in the middle, at some milliseconds a step.
STEPS = 120
TASKS = 3
# A lost runner's tasks must run again within this time.
AGAIN_SECONDS = 30.0


def kill_replica(platform: LivePlatform) -> None:
    platform.replica("Generation").kill()


def kill_runner(platform: LivePlatform) -> None:
    platform.replica("TaskRunner").kill()


def kill_postgres(platform: LivePlatform) -> None:
    pid = EmbeddedPostgres(platform.home).pid
    assert pid is not None
    psutil.Process(pid).kill()


def hang_replica(platform: LivePlatform) -> None:
    """A model that hangs: its process does not move any more, but it is there."""
    platform.replica("Generation").suspend()


@pytest.mark.parametrize("harm", [kill_replica, kill_runner, kill_postgres, hang_replica])
async def test_every_task_completes_once(
    platform: LivePlatform,
    harm: Callable[[LivePlatform], None],
    record_property: Callable[[str, object], None],
) -> None:
    with platform.client() as client:
        tasks = [
            submit(client, model="tiny", prompt=f"dress {number}", steps=STEPS, num_outputs=2)["id"]
            for number in range(TASKS)
        ]
        ended(client, tasks[0], until=lambda task: task["progress"] > 0.05)
        harmed_at, killed_at = time.monotonic(), datetime.now(UTC)
        harm(platform)
        for task_id in tasks:
            done = patient(lambda task_id=task_id: ended(client, task_id, timeout=150))
            assert done["status"] == "completed", done
            assert len(done["output"]["images"]) == 2
            for image in done["output"]["images"]:
                assert httpx.get(image["url"], trust_env=False).status_code == 200
        record_property("seconds_until_all_completed", time.monotonic() - harmed_at)
    for task_id in tasks:
        events = await events_of(platform, task_id)
        kinds = [kind for kind, _ in events]
        assert kinds.count("task.completed") == 1, kinds
        if harm is kill_runner and kinds.count("task.running") > 1:
            again = [at for kind, at in events if kind == "task.running"][1]
            assert again - killed_at < timedelta(seconds=AGAIN_SECONDS)
        stored = list((platform.home / "storage").glob(f"outputs/*/{task_id}/*"))
        assert len(stored) == 2, f"objects of lost attempts are left: {stored}"


def patient(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A client that tries again while the server is away."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return call()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


async def events_of(platform: LivePlatform, task_id: str) -> list[tuple[str, datetime]]:
    connection = await asyncpg.connect(
        **database_url.connect_arguments(database_url.parse(platform.database_url))
    )
    try:
        rows = await connection.fetch(
            "SELECT kind, created_at FROM events WHERE subject_id = $1 ORDER BY seq", task_id
        )
    finally:
        await connection.close()
    return [(row["kind"], row["created_at"]) for row in rows]
