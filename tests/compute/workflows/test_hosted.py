"""Steps of workflows that hosted providers do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db.models import Task
from tests.factories.datasets import dataset
from tests.fixtures.api import Gateway, a_tenant
from tests.fixtures.hosted.claude import FakeClaude, says
from tests.fixtures.hosted.fal import FakeFal
from tests.fixtures.hosted.gemini import FakeGemini
from tests.fixtures.hosted.platform import hosted_gateway
from tests.fixtures.workflows import WorkflowsUnderTest

VERDICT = {"product_match": 0.9, "realism": 0.8, "composition": 0.7, "advice": "softer light"}
CAPTION = {"caption": "A red dress.", "category": "dress", "colors": ["red"], "pattern": "plain"}
GENERATE: dict[str, Any] = {
    "name": "make",
    "type": "generation",
    "config": {"prompt": "a red dress", "num_outputs": 1, "steps": 1},
}


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


def step(name: str, operation: str, *after: str, **config: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "llm",
        "config": {"operation": operation, **config},
        "depends_on": list(after),
    }


async def queues(workflows: WorkflowsUnderTest) -> dict[str, str]:
    async with workflows.gateway.resources.database.read() as session:
        found = await session.execute(select(Task.type, Task.queue))
        return {row.type: row.queue for row in found}


async def test_language_models_look_at_what_a_step_has_made(
    workflows: WorkflowsUnderTest, claude: FakeClaude, gemini: FakeGemini
) -> None:
    claude.answer = json.dumps(CAPTION)
    gemini.answer = json.dumps(VERDICT)
    steps = [
        GENERATE,
        step("say", "caption", "make", kind="garment"),
        step("judge", "judge", "make", model="gemini-flash", prompt="a red dress"),
    ]
    made = await workflows.create(steps, start=True)
    async with workflows.running():
        done = await workflows.ended(made["id"])
    assert done["status"] == "completed", done
    outputs = {one["name"]: one["output"] for one in done["steps"]}
    assert outputs["say"]["answer"] == CAPTION
    assert outputs["say"]["usage"] == {"input_tokens": 1000, "output_tokens": 200}
    assert outputs["judge"]["answer"] == VERDICT
    (asked,) = claude.asked
    assert [part["type"] for part in asked["messages"][0]["content"]] == ["image"]


async def test_a_question_that_nobody_answers_fails_its_step(
    workflows: WorkflowsUnderTest, claude: FakeClaude
) -> None:
    claude.faults.append(says(401, "authentication_error", "invalid x-api-key"))
    made = await workflows.create([GENERATE, step("say", "caption", "make")], start=True)
    async with workflows.running():
        # It waits for somebody to see to it.
        done = await workflows.until(made["id"], "paused")
    (failed,) = [one for one in done["steps"] if one["status"] == "failed"]
    assert (failed["name"], failed["error_code"]) == ("say", "hosted_key_refused")


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
