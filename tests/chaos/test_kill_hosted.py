"""A runner is killed with calls at a provider; the next one goes on with them, and none is sent
twice."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.models import TaskStatus
from serve_app.core.resources import Resources
from tests.compute.runner.hosted import (
    ended,
    generation,
    hosted_settings,
    of_fal,
    queue,
    resources_of,
)
from tests.fixtures.hosted.fal import FakeFal

pytestmark = pytest.mark.chaos

ROOT = Path(__file__).parents[2]
TASKS = 50


@pytest.fixture
async def resources(
    own_database_url: str, tmp_path: Path, fal: FakeFal
) -> AsyncIterator[Resources]:
    async with resources_of(hosted_settings(tmp_path, own_database_url, **of_fal(fal))) as opened:
        yield opened


# Also of a test that fails, none stays behind.
STARTED: list[asyncio.subprocess.Process] = []


@pytest.fixture(autouse=True)
async def no_runner_stays() -> AsyncIterator[None]:
    yield
    while STARTED:
        process = STARTED.pop()
        if process.returncode is None:
            await kill(process)


async def start(resources: Resources, fal: FakeFal) -> asyncio.subprocess.Process:
    settings = resources.settings
    assert settings.database_url is not None
    environment = {
        **os.environ,
        "SARTIQ_HOME": str(settings.home),
        "SARTIQ_ENVIRONMENT": "test",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "FAL_KEY": fal.key,
        "SARTIQ_FAL_BASE_URL": fal.url,
        "SARTIQ_FETCH_ALLOWED_PRIVATE_HOSTS": "localhost",
        "SARTIQ_QUEUE_LEASE_SECONDS": "3",
        "SARTIQ_QUEUE_HEARTBEAT_SECONDS": "1",
        "SARTIQ_QUEUE_REAP_SECONDS": "0.3",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.hosted_runner"),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    STARTED.append(process)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"ready\n"
    return process


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def until_jobs(fal: FakeFal, count: int, *, seen: bool) -> None:
    async with asyncio.timeout(60):
        while sum(job.looks > 0 or not seen for job in fal.jobs.values()) < count:
            await asyncio.sleep(0.02)


async def test_fifty_calls_outlive_their_runner(resources: Resources, fal: FakeFal) -> None:
    fal.seconds = 12.0
    ids = await queue(
        resources, *(generation(resources, prompt=f"dress {n}") for n in range(TASKS))
    )
    first = await start(resources, fal)
    # Looked at once: its id is stored.
    await until_jobs(fal, TASKS, seen=True)
    await kill(first)
    second = await start(resources, fal)
    tasks = [await ended(resources, task_id, 90.0) for task_id in ids]
    await kill(second)
    assert {task.status for task in tasks} == {TaskStatus.COMPLETED}
    assert {task.attempt for task in tasks} == {2}
    assert len(fal.jobs) == TASKS
    assert not any(job.cancelled for job in fal.jobs.values())
    # Second submissions: none.
    assert len(fal.headers) == TASKS


async def test_killed_at_any_moment_nothing_is_sent_twice(
    resources: Resources, fal: FakeFal
) -> None:
    """Also while calls are handed in: those fail with an error that says so."""
    fal.seconds = 3.0
    ids = await queue(resources, *(generation(resources, prompt=f"dress {n}") for n in range(30)))
    for count in (3, 11):
        runner = await start(resources, fal)
        await until_jobs(fal, count, seen=False)
        await kill(runner)
    last = await start(resources, fal)
    tasks = [await ended(resources, task_id, 90.0) for task_id in ids]
    await kill(last)
    sent = Counter(job.arguments["prompt"] for job in fal.jobs.values())
    assert set(sent.values()) == {1}, sent
    for task in tasks:
        assert task.status is TaskStatus.COMPLETED or task.error_code == "hosted_outcome_unknown"
    assert sum(task.status is TaskStatus.COMPLETED for task in tasks) >= 10
