"""`sartiq tasks` and `sartiq workers`, on the gateway itself."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.repositories import OrganizationScope, TaskQueue
from db.repositories.organizations import OrganizationWriter
from db.session import Database
from db.timeline import Timeline
from tests.factories.tasks import claim, fail, make_task
from tests.factories.workers import copy_workers, report
from tests.fixtures.api import API_KEY, make_settings
from tests.fixtures.serving import serving


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    database: Database
    scope: OrganizationScope

    async def sartiq(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            self.command(*arguments),
            env={**os.environ, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *arguments: str) -> list[str]:
        there = ["--base-url", self.url, "--api-key", API_KEY]
        return [sys.executable, "-m", "serve_app", *arguments, *there]


@pytest.fixture
async def served(tmp_path: Path, own_database_url: str) -> AsyncIterator[Served]:
    settings = make_settings(tmp_path, own_database_url)
    database = Database.connect(settings)
    with serving(settings) as url:
        async with database.write() as session:
            organization = await OrganizationWriter(session).ensure_default()
        yield Served(url, database, OrganizationScope(organization.id))
    await database.close()


async def test_tasks(served: Served) -> None:
    first = await make_task(served.database, served.scope, config={"model": "sd-xl-base"})
    await fail(served.database, (await claim(served.database))[0])
    second = await make_task(served.database, served.scope, type="training", queue="training")
    shown = await served.sartiq("tasks")
    assert shown.returncode == 0, shown.stderr
    for text in (first, second, "failed", "the model raised", "sd-xl-base", "2 of 2 tasks"):
        assert text in shown.stdout
    assert shown.stdout.index(second) < shown.stdout.index(first)
    some = await served.sartiq("tasks", "--status", "pending")
    assert second in some.stdout
    assert first not in some.stdout
    refused = await served.sartiq("tasks", "--status", "asleep")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1


async def test_the_timeline_of_a_task(served: Served) -> None:
    task_id = await make_task(served.database, served.scope)
    (task,) = await claim(served.database)
    timeline = Timeline(task.attempt, task.claimed_at)
    timeline.enter("compute")
    await asyncio.sleep(0.05)
    timeline.divide({"encode": 0.01, "denoise": 0.035})
    timeline.end()
    async with served.database.write() as session:
        output = {"images": []}
        await TaskQueue(session).settle_completed(task_id, 1, output, timeline.as_dict())
    shown = await served.sartiq("tasks", "show", task_id)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0].split() == [task_id, "completed"]
    phases = [line.split()[1] for line in lines if line.split()[:1] == ["1"]]
    assert [one for one in phases if one != "compute"] == ["waiting", "encode", "denoise"]
    denoise = next(line for line in lines if "denoise" in line)
    assert "35 ms" in denoise
    assert "█" in denoise
    missing = await served.sartiq("tasks", "show", "task_unknown")
    assert (missing.returncode, missing.stderr) == (1, "error: Task not found.\n")


async def test_workers(served: Served) -> None:
    await copy_workers(
        served.database,
        [
            report(id="w-busy", tasks=("task_a", "task_b"), gpu=0.85),
            report(id="w-hung", problem="the model has made no step for 121 s"),
        ],
    )
    shown = await served.sartiq("workers")
    assert shown.returncode == 0, shown.stderr
    busy = next(line for line in shown.stdout.splitlines() if "w-busy" in line)
    for text in ("Generation", "busy", "85%", "0.65 GiB", "atelier-tiny"):
        assert text in busy
    assert "w-hung: the model has made no step for 121 s" in shown.stdout
    assert "2 of 2 workers" in shown.stdout


async def test_watching_follows_what_happens_until_ctrl_c(served: Served) -> None:
    """In a terminal, as a person would."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: ASYNC220
        served.command("workers", "--watch"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "200", "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    seen = ""

    async def until(is_so: Callable[[], bool]) -> None:
        """Read on, as a terminal does: who writes to one that is full waits for ever."""
        nonlocal seen
        deadline = time.monotonic() + 30
        while not is_so():
            assert time.monotonic() < deadline, seen
            try:
                seen += os.read(ours, 65536).decode(errors="replace")
            except OSError:  # nothing now, or nobody writes any more
                await asyncio.sleep(0.05)

    try:
        await until(lambda: "0 of 0 workers" in seen)
        await copy_workers(served.database, [report(id="w-new")])
        await until(lambda: "w-new" in seen)
        process.send_signal(signal.SIGINT)
        await until(lambda: process.poll() is not None)
        assert process.returncode == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)
