"""SIGTERM in the middle of work: it ends in time, or is handed back; nothing is lost or left."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from configs.settings import Settings
from db.models import Task
from db.session import Database
from serve_app.platform import Platform
from tests.e2e.client import submit, wait_until
from tests.fixtures.platform import ENVIRONMENT, LivePlatform, Ports, free_http_port

pytestmark = pytest.mark.platform

# Of the runner's replica in serve_config.yaml, of the models' after it, and of Ray's own end.
GRACE_SECONDS = 55


@dataclass(frozen=True, slots=True)
class Draining:
    """A platform on a database that outlives it."""

    live: LivePlatform
    settings: Settings

    def rows(self) -> dict[str, Task]:
        async def read() -> dict[str, Task]:
            database = Database.connect(self.settings)
            async with database.read() as session:
                found = {task.id: task for task in await session.scalars(select(Task))}
            await database.close()
            return found

        return asyncio.run(read())

    def stop(self) -> float:
        """SIGTERM; the seconds until every process has ended."""
        process = self.live.platform.process
        assert process is not None
        family = [
            psutil.Process(process.pid),
            *psutil.Process(process.pid).children(recursive=True),
        ]
        began = time.monotonic()
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=GRACE_SECONDS)
        assert not alive, alive
        return time.monotonic() - began


@pytest.fixture
def draining(own_database_url: str, request: pytest.FixtureRequest) -> Iterator[Draining]:
    home = Path(tempfile.mkdtemp(prefix="sartiq-drain-"))
    home.chmod(0o755)
    port = free_http_port()
    settings = Settings(
        home=home, http={"port": port}, environment="test", database_url=SecretStr(own_database_url)
    )
    environment = {
        **ENVIRONMENT,
        "SARTIQ_HOME": str(home),
        "SARTIQ_HTTP_PORT": str(port),
        "DATABASE_URL": own_database_url,
        "SARTIQ_QUEUE_DRAIN_SECONDS": str(request.param),
    }
    try:
        with Platform.running(settings, environment=environment) as running:
            yield Draining(LivePlatform(running, home, Ports.derive(settings)), settings)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def running(draining: Draining, count: int, **body: Any) -> list[str]:
    """Tasks on a model: the first in the middle of its work, others maybe in a batch to come."""
    with draining.live.client() as client:
        ids = [submit(client, prompt="a red dress", **body)["id"] for _ in range(count)]

        def all_run() -> bool:
            found = [client.get(f"/tasks/{one}").json() for one in ids]
            return all(one["status"] == "running" for one in found) and found[0]["progress"] > 0

        wait_until(all_run, seconds=60)
    return ids


@pytest.mark.parametrize("draining", [20], indirect=True)
def test_what_can_end_in_time_is_completed(draining: Draining) -> None:
    (task_id,) = running(draining, 1, steps=15)
    seconds = draining.stop()
    task = draining.rows()[task_id]
    assert (task.status, task.attempt, task.failures) == ("completed", 1, [])
    assert task.output is not None
    assert len(task.output["images"]) == 1
    assert seconds < GRACE_SECONDS


@pytest.mark.parametrize("draining", [1], indirect=True)
def test_what_cannot_is_pending_again_at_once(draining: Draining) -> None:
    ids = running(draining, 2, steps=100, num_outputs=4, width=256, height=384)
    seconds = draining.stop()
    rows = draining.rows()
    assert {rows[one].status for one in ids} == {"pending"}
    for one in ids:
        # Handed back, and not found lost when its lease ended.
        assert (rows[one].failures, rows[one].lease_expires_at) == ([], None)
    assert seconds < GRACE_SECONDS
