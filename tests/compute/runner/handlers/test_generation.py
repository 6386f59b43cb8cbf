"""LoRAs on their way from storage to the replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from db.models import Adapter, Task
from db.repositories import TaskRepository
from db.repositories.adapters import AdapterWriter
from deployments.contracts import Event, GenerationRequest
from deployments.errors import InvalidInput
from serve_app.compute.runner.adapters import AdapterFiles
from serve_app.compute.runner.runner import Runner
from serve_app.core.adapters import AdapterGone, pinned
from serve_app.core.images import read_recipe
from serve_app.core.resources import Resources
from tests.factories.adapters import store_adapter
from tests.fixtures.api import Gateway, Tenant, a_tenant
from tests.fixtures.models import FixedCapacity, LocalHandle, draws

WEIGHTS = b"weights of mira"


@pytest.fixture
async def tenant(own_gateway: Gateway) -> AsyncIterator[Tenant]:
    """On a platform of its own: the runners of others must not take its tasks."""
    async with a_tenant(own_gateway) as tenant:
        yield tenant


@asynccontextmanager
async def running(tenant: Tenant, model: Any = draws) -> AsyncIterator[LocalHandle]:
    handle = LocalHandle(model)
    runner = Runner(
        "runner-a",
        tenant.gateway.resources,
        {"generation": handle},  # type: ignore[dict-item]
        lambda wake: FixedCapacity(),  # type: ignore[arg-type,return-value]
    )
    await runner.start()
    try:
        yield handle
    finally:
        await runner.drain()


async def submit(tenant: Tenant, *names: str) -> str:
    body = {"prompt": "mira", "steps": 2, "seed": 1, "output_format": "png"}
    loras = [{"name": name} for name in names]
    made = await tenant.compute.post("/tasks/generation", json={**body, "loras": loras})
    assert made.status_code == 201, made.text
    task_id: str = made.json()["id"]
    return task_id


async def ended(tenant: Tenant, task_id: str) -> Task:
    async with asyncio.timeout(20):
        while True:
            async with tenant.database.read() as session:
                task = await TaskRepository(session, tenant.scope).get(task_id)
            assert task is not None
            if task.status.is_final:
                return task
            await asyncio.sleep(0.02)


async def delete(tenant: Tenant, adapter: Adapter) -> None:
    async with tenant.database.write() as session:
        await AdapterWriter(session, tenant.scope).delete(adapter)


async def test_weights_reach_the_model_and_the_recipe(tenant: Tenant) -> None:
    adapter = await store_adapter(tenant.gateway.resources, tenant.scope, WEIGHTS)
    async with running(tenant) as handle:
        task = await ended(tenant, await submit(tenant, "mira"))
    [lora] = handle.requests[0].loras
    # Serve sends it to the replica that has had it.
    assert handle.adapters == [lora.digest]
    assert (lora.name, lora.digest, lora.weight) == ("mira@1", adapter.sha256, 0.8)
    assert lora.data == WEIGHTS
    assert task.output is not None
    data = await tenant.gateway.resources.store.get(task.output["images"][0]["path"])
    recipe = read_recipe(data)
    assert recipe is not None
    assert recipe["loras"] == [pinned(adapter, 0.8)]


async def test_a_deleted_one_fails_its_own_task_alone(tenant: Tenant) -> None:
    resources = tenant.gateway.resources
    gone = await store_adapter(resources, tenant.scope, WEIGHTS, "gone")
    lost = await store_adapter(resources, tenant.scope, b"lost", "lost")
    await store_adapter(resources, tenant.scope, b"kept", "kept")
    tasks = [
        await submit(tenant, *names)
        for names in (["gone"], ["kept"], ["kept", "gone"], ["lost"], [])
    ]
    await delete(tenant, gone)
    await resources.store.delete(lost.path)
    async with running(tenant):
        first, second, third, fourth, fifth = [await ended(tenant, one) for one in tasks]
    assert [second.status, fifth.status] == ["completed", "completed"]
    assert first.error == third.error == "The LoRA 'gone@1' has been deleted"
    assert fourth.error == "The file of the LoRA 'lost@1' is gone"
    for failed in (first, third, fourth):
        assert (failed.status, failed.error_code, failed.attempt) == ("failed", "lora_deleted", 1)


async def test_one_that_does_not_fit_fails_its_own_task_alone(tenant: Tenant) -> None:
    async def picky(request: GenerationRequest) -> AsyncIterator[Event]:
        if request.loras:
            raise InvalidInput("LoRA 'mira@1' cannot be loaded: it has no weights for this model")
        async for event in draws(request):
            yield event

    await store_adapter(tenant.gateway.resources, tenant.scope, WEIGHTS)
    tasks = [await submit(tenant, "mira"), await submit(tenant)]
    async with running(tenant, picky):
        bad, good = [await ended(tenant, one) for one in tasks]
    assert (bad.status, bad.attempt, good.status) == ("failed", 1, "completed")
    assert bad.error is not None
    assert bad.error.endswith("cannot be loaded: it has no weights for this model")


async def test_files_are_read_once_and_their_memory_is_bounded(tenant: Tenant) -> None:
    resources = tenant.gateway.resources
    adapters = [
        await store_adapter(resources, tenant.scope, bytes([index]) * 1000, f"lora-{index}")
        for index in range(16)
    ]
    models = resources.settings.models.model_copy(update={"shared_adapter_bytes": 4000})
    small: Resources = replace(
        resources, settings=resources.settings.model_copy(update={"models": models})
    )
    files = AdapterFiles()
    pins = [pinned(adapter, 0.5) for adapter in adapters]
    for one in pins * 2:
        await files.references(small, tenant.organization_id, [one])
        assert files.nbytes <= 4000
    # The last four are kept: their objects are not needed again.
    for adapter in adapters:
        await resources.store.delete(adapter.path)
    references = await asyncio.gather(
        *(files.references(small, tenant.organization_id, pins[12:]) for _ in range(3))
    )
    assert [lora.data for lora in references[2]] == [bytes([i]) * 1000 for i in range(12, 16)]
    with pytest.raises(AdapterGone):
        await files.references(small, tenant.organization_id, pins[:1])
