"""Steps of workflows that hosted providers do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from db.models import Task
from tests.factories.datasets import dataset
from tests.fixtures.api import Gateway, a_tenant
from tests.fixtures.hosted.claude import FakeClaude
from tests.fixtures.hosted.fal import FakeFal
from tests.fixtures.hosted.gemini import FakeGemini
from tests.fixtures.hosted.platform import hosted_gateway
from tests.fixtures.workflows import WorkflowsUnderTest


@pytest.fixture
async def own_gateway(
    tmp_path: Path, own_database_url: str, fal: FakeFal, claude: FakeClaude, gemini: FakeGemini
) -> AsyncIterator[Gateway]:
    async with hosted_gateway(tmp_path, own_database_url, fal, claude, gemini) as gateway:
        yield gateway


@pytest.fixture
async def workflows(own_gateway: Gateway) -> AsyncIterator[WorkflowsUnderTest]:
    async with a_tenant(own_gateway) as tenant:
        yield WorkflowsUnderTest(own_gateway, tenant)


async def queues(workflows: WorkflowsUnderTest) -> dict[str, str]:
    async with workflows.gateway.resources.database.read() as session:
        found = await session.execute(select(Task.type, Task.queue))
        return {row.type: row.queue for row in found}


async def test_a_step_trains_where_its_model_is_trained(
    workflows: WorkflowsUnderTest, fal: FakeFal
) -> None:
    stored = await workflows.client.post("/storage/datasets", files={"file": dataset(5)})
    train = {
        "name": "train",
        "type": "training",
        "config": {
            "dataset_url": stored.json()["url"],
            "base_model": "fal-flux-lora",
            "output_name": "mira",
            "config": {"steps": 10},
        },
    }
    made = await workflows.create([train], start=True)
    async with workflows.running():
        done = await workflows.ended(made["id"])
    assert done["status"] == "completed", done
    assert await queues(workflows) == {"training": "fal"}
    (job,) = fal.jobs.values()
    assert job.app == "fal-ai/flux-lora-fast-training"
    listed = (await workflows.client.get("/loras/")).json()["items"]
    assert [(one["name"], one["base_model"]) for one in listed] == [("mira", "fal-flux-lora")]
