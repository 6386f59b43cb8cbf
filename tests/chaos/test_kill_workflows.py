"""Replicas, runner and Postgres die in turn while workflows run: all of them end, each step once.

`make chaos` runs it with 200 workflows, and kills until the last has ended. Otherwise it is some
workflows, and each part is killed at most four times: a machine that is too slow to start one
between two kills would get nothing done.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from db import url as database_url
from tests.chaos.test_kill import kill_postgres, kill_runner
from tests.fixtures.platform import LivePlatform

pytestmark = [pytest.mark.platform, pytest.mark.chaos]

COUNT = int(os.environ.get("SARTIQ_CHAOS_WORKFLOWS", "12"))
# Seconds between two kills: a replica needs some to come back, more on a busy machine.
PAUSES = (5.0, 20.0)
SECONDS = 5400 if COUNT > 50 else 400
ROUNDS = 1000 if COUNT > 50 else 4
IMAGES = 2


def steps(number: int) -> list[dict[str, Any]]:
    """A generation, something with each of its pictures, and an archive of all."""
    generate = {
        "name": "generate",
        "type": "generation",
        "config": {
            "model": "tiny",
            "prompt": f"dress {number}",
            "num_outputs": IMAGES,
            "steps": 60,
            "seed": number,
        },
    }
    convert = {"operation": "convert", "output_format": "webp", "width": 48}
    cut_out = {"operation": "remove-background"}
    change = {
        "name": "change",
        "type": "processing",
        "config": convert if number % 4 else cut_out,
        "depends_on": ["generate"],
    }
    pack = {"name": "pack", "type": "export", "depends_on": ["change"]}
    return [generate, change, pack]


def kill_replica(platform: LivePlatform) -> None:
    for title in ("Generation", "BackgroundRemoval"):
        for process in platform.processes(f"ServeReplica:sartiq:{title}"):
            process.kill()


HARMS: Sequence[Callable[[LivePlatform], None]] = (kill_replica, kill_runner, kill_postgres)


@pytest.mark.timeout(SECONDS + 300)
def test_every_workflow_ends_and_every_step_happens_once(
    platform: LivePlatform, record_property: Callable[[str, object], None]
) -> None:
    started = time.monotonic()
    with platform.client() as client:
        made = [_create(client, number) for number in range(COUNT)]
        kills = _harm_until_ended(platform, client, made)
        for workflow_id in made:
            workflow = _get(client, workflow_id)
            assert workflow["status"] == "completed", (workflow["status"], workflow["error"])
            _check_outputs(workflow)
    record_property("kills", kills)
    record_property("seconds", time.monotonic() - started)
    _say(f"{COUNT} workflows, {kills} kills, {time.monotonic() - started:.0f} s")
    asyncio.run(_check(platform, made))


def _say(text: str) -> None:
    """For `make chaos`, which shows it."""
    sys.stdout.write(f"\n{text}\n")


def _create(client: httpx.Client, number: int) -> str:
    body = {"name": f"chaos {number}", "steps": steps(number)}
    key = {"Idempotency-Key": f"chaos-{os.getpid()}-{number}"}
    answer = _patient(lambda: client.post("/workflows/?start=true", json=body, headers=key), {201})
    workflow_id: str = answer.json()["id"]
    return workflow_id


def _get(client: httpx.Client, workflow_id: str) -> Any:
    return _patient(lambda: client.get(f"/workflows/{workflow_id}"), {200}).json()


def _patient(call: Callable[[], httpx.Response], expected: set[int]) -> httpx.Response:
    """A client that tries again while the server or its database is away."""
    deadline = time.monotonic() + 90
    while True:
        try:
            answer = call()
            if answer.status_code in expected:
                return answer
            assert answer.status_code >= 429, answer.text
        except httpx.TransportError:
            answer = None
        assert time.monotonic() < deadline, answer and answer.text
        time.sleep(0.2)


def _harm_until_ended(platform: LivePlatform, client: httpx.Client, made: Sequence[str]) -> int:
    """Kill one after the other, each at least once, until all have ended; how many kills."""
    draw = random.Random(COUNT)
    kills, deadline = 0, time.monotonic() + SECONDS
    for harm in cycle(HARMS):
        left = [one for one in made if _get(client, one)["status"] in {"created", "running"}]
        if not left and kills >= len(HARMS):
            return kills
        assert time.monotonic() < deadline, f"{len(left)} have not ended after {kills} kills"
        if kills == ROUNDS * len(HARMS):
            time.sleep(1)
            continue
        try:
            harm(platform)
        except (ValueError, psutil.Error):
            # It is just coming back.
            time.sleep(1)
            continue
        kills += 1
        time.sleep(draw.uniform(*PAUSES))
    raise AssertionError


def _check_outputs(workflow: Any) -> None:
    generated, changed, packed = (step["output"] for step in workflow["steps"])
    assert [len(generated["images"]), len(changed["images"])] == [IMAGES, IMAGES]
    assert packed["file"]["files"] == IMAGES
    for url in (*(image["url"] for image in changed["images"]), packed["file"]["url"]):
        assert httpx.get(url, trust_env=False).status_code == 200


async def _check(platform: LivePlatform, made: Sequence[str]) -> None:
    connection = await asyncpg.connect(
        **database_url.connect_arguments(database_url.parse(platform.database_url))
    )
    try:
        await _check_log(connection, made)
        await _check_tasks(connection, platform, made)
    finally:
        await connection.close()


async def _check_log(connection: asyncpg.Connection, made: Sequence[str]) -> None:
    """Without a gap, and every end once."""
    for row in await connection.fetch(
        "SELECT organization_id, count(*), min(seq), max(seq) FROM events GROUP BY 1"
    ):
        assert (row["min"], row["max"]) == (1, row["count"])
    ends = await connection.fetch(
        """
        SELECT subject_id, kind, data ->> 'step' AS step, count(*) FROM events
        WHERE subject_id = ANY ($1) AND kind IN ('workflow.completed', 'workflow.step_completed')
        GROUP BY 1, 2, 3
        """,
        list(made),
    )
    assert {row["count"] for row in ends} == {1}
    assert len(ends) == len(made) * 4


async def _check_tasks(
    connection: asyncpg.Connection, platform: LivePlatform, made: Sequence[str]
) -> None:
    """One task for every piece of work, completed once, with its own objects and no others."""
    tasks = await connection.fetch(
        """
        SELECT task.id, task.type, task.status, task.attempt, link.workflow_id, link.position,
            (SELECT count(*) FROM events
             WHERE subject_id = task.id AND kind = 'task.completed') AS completed
        FROM workflow_tasks link JOIN tasks task ON task.id = link.task_id
        WHERE link.workflow_id = ANY ($1)
        """,
        list(made),
    )
    assert {(row["status"], row["completed"]) for row in tasks} == {("completed", 1)}
    assert len(tasks) == len(made) * (1 + IMAGES + 1)
    _say(f"of {len(tasks)} tasks {sum(row['attempt'] > 1 for row in tasks)} were started again")
    for row in tasks:
        expected = IMAGES if row["type"] == "generation" else 1
        stored = list(_objects(platform, row["id"]))
        assert len(stored) == expected, f"objects of lost attempts are left: {stored}"


def _objects(platform: LivePlatform, task_id: str) -> Iterator[str]:
    for folder in ("outputs", "exports"):
        yield from map(str, (platform.home / "storage").glob(f"{folder}/*/{task_id}/*"))
