"""The runner on a real database and a real store, with models that behave in every possible way."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import SecretStr
from ray.exceptions import RayActorError
from sqlalchemy import text

from configs.settings import QueueSettings, Settings
from db.models import Task
from db.repositories import NewTask, OrganizationScope, TaskQueue, TaskRepository
from deployments.contracts import Event, GenerationRequest, Progress, Result, Started
from deployments.errors import InferenceFailed, InvalidInput
from serve_app.compute.runner.runner import Runner
from serve_app.core.images import read_recipe
from serve_app.core.resources import Resources, open_resources
from serve_app.core.storage.base import ObjectStore, StoredObject
from tests.fixtures.models import FixedCapacity, LocalHandle, Model

QUEUE = "generation"


async def works(request: GenerationRequest) -> AsyncIterator[Event]:
    yield Started()
    for step in range(1, request.steps + 1):
        yield Progress(step / request.steps, step, request.steps)
    picture = np.full((request.height, request.width, 3), 200, np.uint8)
    yield Result(tuple(picture for _ in request.seeds), {"model": "local"})


def raises(error: Exception) -> Model:
    async def model(request: GenerationRequest) -> AsyncIterator[Event]:
        yield Started()
        raise error

    return model


async def hangs(request: GenerationRequest) -> AsyncIterator[Event]:
    yield Started()
    yield Progress(0.5)
    await asyncio.Event().wait()


def first(bad: Model, then: Model, times: int = 1) -> Model:
    """Behave one way a few times, and another way from then on."""
    calls = 0

    async def model(request: GenerationRequest) -> AsyncIterator[Event]:
        nonlocal calls
        calls += 1
        async for event in (bad if calls <= times else then)(request):
            yield event

    return model


@pytest.fixture
async def resources(own_database_url: str, tmp_path: Path) -> AsyncIterator[Resources]:
    settings = Settings(
        home=tmp_path,
        environment="test",
        database_url=SecretStr(own_database_url),
        queue=QueueSettings(
            # No heartbeat within a test: what is prompt is so by notification.
            lease_seconds=40.0,
            heartbeat_seconds=15.0,
            reap_seconds=0.2,
            poll_seconds=0.2,
            progress_seconds=0.02,
            stall_seconds=1.5,
            drain_seconds=0.3,
        ),
    )
    async with open_resources(settings, gpu=False) as opened:
        yield opened


@pytest.fixture
def scope(resources: Resources) -> OrganizationScope:
    return OrganizationScope(resources.default_organization)


@asynccontextmanager
async def running(
    resources: Resources, model: Model, *, units: int = 4, runner_id: str = "runner-a"
) -> AsyncIterator[tuple[Runner, LocalHandle]]:
    handle = LocalHandle(model)
    runner = Runner(runner_id, resources, {QUEUE: handle}, lambda wake: FixedCapacity(units))
    await runner.start()
    try:
        yield runner, handle
    finally:
        await runner.drain()


async def queue_task(resources: Resources, scope: OrganizationScope, **changes: Any) -> str:
    config = {
        "model": "local",
        "prompt": "a dress",
        "negative_prompt": "",
        "num_outputs": 2,
        "seed": 5,
        "width": 64,
        "height": 96,
        "steps": 3,
        "guidance_scale": 4.0,
        "image_guidance_scale": 1.5,
        "strength": 0.8,
        "output_format": "png",
        "loras": [],
    }
    new = NewTask(type="generation", queue=QUEUE, config=config | changes, max_attempts=8)
    async with resources.database.write() as session:
        return (await TaskQueue(session).enqueue(scope, new)).id


async def read(resources: Resources, scope: OrganizationScope, task_id: str) -> Task:
    async with resources.database.read() as session:
        task = await TaskRepository(session, scope).get(task_id)
    assert task is not None
    return task


async def wait_for(
    resources: Resources, scope: OrganizationScope, task_id: str, *statuses: str
) -> Task:
    async with asyncio.timeout(20):
        while (task := await read(resources, scope, task_id)).status not in statuses:
            await asyncio.sleep(0.02)
    return task


def stored(resources: Resources) -> list[Path]:
    folder = resources.settings.home / "storage" / "outputs"
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_a_task_is_carried_out(resources: Resources, scope: OrganizationScope) -> None:
    async with running(resources, works) as (_, handle):
        task_id = await queue_task(resources, scope)
        task = await wait_for(resources, scope, task_id, "completed")
    (request,) = handle.requests
    assert request.seeds == (5, 6)
    assert task.progress == 1.0
    assert task.output is not None
    assert [image["seed"] for image in task.output["images"]] == [5, 6]
    assert len(stored(resources)) == 2
    recipe = read_recipe(stored(resources)[0].read_bytes())
    assert recipe is not None
    assert recipe["prompt"] == "a dress"
    assert recipe["made_with"] == {"model": "local"}


async def test_invalid_input_is_not_tried_again(
    resources: Resources, scope: OrganizationScope
) -> None:
    async with running(resources, raises(InvalidInput("too wide"))) as (_, handle):
        task = await wait_for(resources, scope, await queue_task(resources, scope), "failed")
    assert (task.error, task.error_code) == ("Invalid input: too wide", "invalid_input")
    assert len(handle.requests) == 1


async def test_a_model_error_is_tried_once_more_and_its_reasons_are_kept(
    resources: Resources, scope: OrganizationScope
) -> None:
    async with running(resources, raises(InferenceFailed("boom"))) as (_, handle):
        task = await wait_for(resources, scope, await queue_task(resources, scope), "failed")
    assert len(handle.requests) == 2
    assert [(past["code"], past["reason"]) for past in task.failures] == [
        ("inference_failed", "boom")
    ] * 2


async def test_lost_replicas_are_survived(resources: Resources, scope: OrganizationScope) -> None:
    model = first(raises(RayActorError()), works, times=3)
    async with running(resources, model):
        task = await wait_for(
            resources, scope, await queue_task(resources, scope), "completed", "failed"
        )
    assert task.status == "completed"
    assert [past["code"] for past in task.failures] == ["replica_lost"] * 3
    assert task.attempt == 4


async def test_an_error_of_unknown_kind_keeps_its_text_to_itself(
    resources: Resources, scope: OrganizationScope
) -> None:
    async with running(resources, raises(KeyError("password=hunter2"))):
        task = await wait_for(resources, scope, await queue_task(resources, scope), "failed")
    assert task.error == "Internal error"


async def test_a_model_that_hangs_is_given_up(
    resources: Resources, scope: OrganizationScope
) -> None:
    async with running(resources, first(hangs, works)) as (_, handle):
        task = await wait_for(
            resources, scope, await queue_task(resources, scope), "completed", "failed"
        )
    assert task.status == "completed"
    assert [past["code"] for past in task.failures] == ["timeout"]
    assert handle.closed == 2, "the stream of the hung attempt was cancelled too"


async def test_cancel_stops_the_stream_and_stores_nothing(
    resources: Resources, scope: OrganizationScope
) -> None:
    async with running(resources, hangs) as (_, handle):
        task_id = await queue_task(resources, scope)
        await wait_for(resources, scope, task_id, "running")
        async with resources.database.write() as session:
            cancellation = await TaskQueue(session).cancel(scope, task_id)
        assert cancellation is not None
        assert cancellation.changed
        async with asyncio.timeout(1.4):  # by notification: before the stall
            while handle.closed == 0:
                await asyncio.sleep(0.01)
    assert (await read(resources, scope, task_id)).status == "cancelled"
    assert stored(resources) == []


async def test_progress_is_visible_while_it_runs(
    resources: Resources, scope: OrganizationScope
) -> None:
    async with running(resources, hangs):
        task_id = await queue_task(resources, scope)
        async with asyncio.timeout(1.4):
            while (await read(resources, scope, task_id)).progress != 0.5:
                await asyncio.sleep(0.01)


async def test_a_result_without_a_lease_is_discarded(
    resources: Resources, scope: OrganizationScope
) -> None:
    """Another runner has taken the task over while this one was working on it."""
    go = asyncio.Event()

    async def waits(request: GenerationRequest) -> AsyncIterator[Event]:
        await go.wait()
        async for event in works(request):
            yield event

    async with running(resources, waits):
        task_id = await queue_task(resources, scope)
        await wait_for(resources, scope, task_id, "running")
        async with resources.database.write() as session:
            await session.execute(
                text("UPDATE tasks SET attempt = 2, runner_id = 'runner-b' WHERE id = :id"),
                {"id": task_id},
            )
        go.set()
        await asyncio.sleep(0.5)
    task = await read(resources, scope, task_id)
    assert (task.status, task.output, task.runner_id) == ("running", None, "runner-b")
    assert stored(resources) == []


async def test_a_result_that_comes_too_late_leaves_its_successor_s_alone(
    resources: Resources, scope: OrganizationScope
) -> None:
    go = asyncio.Event()

    async def waits(request: GenerationRequest) -> AsyncIterator[Event]:
        await go.wait()
        async for event in works(request):
            yield event

    task_id = await queue_task(resources, scope)
    await set_attempt(resources, task_id, 1)
    folder = f"outputs/{scope.organization_id.hex}/{task_id}"
    await resources.store.put(f"{folder}/1-0.png", b"of an earlier one")
    async with running(resources, waits):
        await wait_for(resources, scope, task_id, "running")
        await set_attempt(resources, task_id, 3)
        await resources.store.put(f"{folder}/3-0.png", b"of the next one")
        go.set()
        await asyncio.sleep(0.5)
    assert [path.name for path in stored(resources)] == ["1-0.png", "3-0.png"]


class WaitingStore:
    """A store that lists nothing before it may."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        self.asked.set()
        await self.go.wait()
        async for found in self._store.list(prefix):
            yield found


async def test_a_result_stays_when_its_runner_drains_while_it_tidies_up(
    resources: Resources, scope: OrganizationScope
) -> None:
    store = WaitingStore(resources.store)
    task_id = await queue_task(resources, scope)
    await set_attempt(resources, task_id, 1)
    slow = dataclasses.replace(resources, store=store)  # type: ignore[arg-type]
    async with running(slow, works) as (runner, _):
        await asyncio.wait_for(store.asked.wait(), 20)
        asyncio.get_running_loop().call_later(1, store.go.set)
        await runner.drain()
    assert (await read(resources, scope, task_id)).status == "completed"
    assert [path.name for path in stored(resources)] == ["2-0.png", "2-1.png"]


async def set_attempt(resources: Resources, task_id: str, attempt: int) -> None:
    async with resources.database.write() as session:
        await session.execute(
            text("UPDATE tasks SET attempt = :attempt WHERE id = :id"),
            {"id": task_id, "attempt": attempt},
        )


async def test_draining_hands_back_what_is_not_done(
    resources: Resources, scope: OrganizationScope
) -> None:
    async with running(resources, hangs) as (runner, handle):
        task_id = await queue_task(resources, scope)
        await wait_for(resources, scope, task_id, "running")
        await runner.drain()
        task = await read(resources, scope, task_id)
        assert (task.status, task.failures) == ("pending", [])
        assert handle.closed == 1
    async with running(resources, works, runner_id="runner-b"):
        assert (await wait_for(resources, scope, task_id, "completed")).attempt == 2


async def test_no_more_is_claimed_than_can_start(
    resources: Resources, scope: OrganizationScope
) -> None:
    async with running(resources, hangs, units=2) as (_, handle):
        tasks = [await queue_task(resources, scope) for _ in range(5)]
        await asyncio.sleep(0.4)
        assert len(handle.requests) == 2
        states = [(await read(resources, scope, task_id)).status for task_id in tasks]
    assert states.count("running") == 2


async def test_a_lost_runner_s_tasks_run_again(
    resources: Resources, scope: OrganizationScope
) -> None:
    task_id = await queue_task(resources, scope)
    async with resources.database.write() as session:  # claimed by one that will never be heard of
        claimed = await TaskQueue(session).claim(
            QUEUE, "runner-lost", capacity=4, limit=1, lease_seconds=0.5
        )
    assert [task.id for task in claimed] == [task_id]
    async with running(resources, works):
        task = await wait_for(resources, scope, task_id, "completed")
    assert task.attempt == 2
    assert task.runner_id != "runner-lost"
    assert isinstance(task.organization_id, UUID)
