"""A runner whose queues are hosted providers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from configs.sections import HttpSettings
from configs.settings import FetchSettings, ProviderSettings, QueueSettings, Settings
from db.models import Task, TaskStatus
from db.repositories import OrganizationScope, TaskQueue, TaskRepository
from db.repositories.queue import NewTask
from serve_app.compute.runner.hosted import AbandonedJobs
from serve_app.compute.runner.runner import Runner
from serve_app.core import orders
from serve_app.core.errors import UnprocessableField
from serve_app.core.resources import Resources, open_resources
from tests.fixtures.hosted.fal import FakeFal
from tests.fixtures.models import FixedCapacity

PUBLIC_URL = "https://studio.example"
QUEUES = ("fal", "claude", "gemini")


def hosted_settings(home: Path, database_url: str, **changes: Any) -> Settings:
    """Settings of a platform; keys and base URLs come with the changes."""
    queue = QueueSettings(
        lease_seconds=40.0,
        heartbeat_seconds=15.0,
        reap_seconds=0.2,
        poll_seconds=0.2,
        progress_seconds=0.02,
        drain_seconds=0.3,
    )
    values: dict[str, Any] = {
        "home": home,
        "environment": "test",
        "database_url": SecretStr(database_url),
        "queue": queue,
        "http": HttpSettings(public_url=PUBLIC_URL),
        "fetch": FetchSettings(allowed_private_hosts=("localhost",)),
    }
    return Settings(**values | changes)


def of_fal(fal: FakeFal, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"request_seconds": 2.0, "call_seconds": 30.0, "breaker_failures": 50}
    settings = ProviderSettings(base_url=fal.url, **values | changes)
    return {"fal_key": SecretStr(fal.key), "fal": settings}


@asynccontextmanager
async def resources_of(settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(settings, gpu=False) as opened:
        yield opened


@asynccontextmanager
async def running(
    resources: Resources, *, units: int = 200, runner_id: str = "runner-a"
) -> AsyncIterator[Runner]:
    queues = [queue for queue in QUEUES if queue in resources.providers]
    runner = Runner(
        runner_id,
        resources,
        dict.fromkeys(queues),
        lambda wake: FixedCapacity(units),
        observers=[AbandonedJobs(lambda: resources.providers)],
    )
    await runner.start()
    try:
        yield runner
    finally:
        await runner.drain()


def refuse(field: str, reason: str) -> UnprocessableField:
    return UnprocessableField(f"{field}: {reason}")


def generation(resources: Resources, model: str = "fal-flux-lora", **wanted: Any) -> NewTask:
    entry = orders.choose_model(resources, model, refuse)
    values = {"prompt": "a red dress", "num_outputs": 1, "width": 256, "height": 256} | wanted
    return orders.generation(orders.settle_generation(entry, values, refuse))


async def queue(resources: Resources, *tasks: NewTask) -> list[str]:
    scope = OrganizationScope(resources.default_organization)
    async with resources.database.write() as session:
        return [task.id for task in await TaskQueue(session).enqueue_many(scope, tasks)]


async def read(resources: Resources, task_id: str) -> Task:
    async with resources.database.read() as session:
        scope = OrganizationScope(resources.default_organization)
        task = await TaskRepository(session, scope).get(task_id)
    assert task is not None
    return task


async def ended(resources: Resources, task_id: str, seconds: float = 20.0) -> Task:
    async with asyncio.timeout(seconds):
        while not (task := await read(resources, task_id)).status.is_final:
            await asyncio.sleep(0.03)
    return task


async def completed(resources: Resources, task_id: str) -> Task:
    task = await ended(resources, task_id)
    assert task.status is TaskStatus.COMPLETED, (task.error, task.failures)
    return task
