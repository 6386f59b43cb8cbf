"""Failure, pauses, approval, cancelling: what is done stays done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from db.models import Task
from deployments.contracts import Event, Started, UpscaleRequest
from deployments.errors import InvalidInput
from tests.fixtures.models import enlarges
from tests.fixtures.workflows import STEPS, WorkflowsUnderTest

APPROVE = {"name": "look", "type": "approval", "depends_on": ["generate-base"]}


def by_name(workflow: dict[str, Any]) -> dict[str, Any]:
    return {step["name"]: step for step in workflow["steps"]}


class FailsOnce:
    """Refuses the third picture, the first time."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, request: UpscaleRequest) -> AsyncIterator[Event]:
        self.calls += 1
        if self.calls == 3:
            yield Started()
            raise InvalidInput("this one is odd")
        async for event in enlarges(request):
            yield event


async def test_a_failed_step_pauses_and_is_tried_again(workflows: WorkflowsUnderTest) -> None:
    model = FailsOnce()
    async with workflows.running(upscaling=model):
        made = await workflows.create(input={"image_url": await workflows.picture_url()})
        paused = await workflows.until(made["id"], "paused")
        assert paused["error"] == "Step 'upscale' failed: Invalid input: this one is odd"
        assert paused["current_step"] == 1
        steps = by_name(paused)
        assert steps["upscale"]["status"] == "failed"
        assert steps["background-removal"]["status"] == "pending"
        await asyncio.sleep(0.3)
        assert (await workflows.get(made["id"]))["status"] == "paused"
        await workflows.post(f"/workflows/{made['id']}/resume")
        done = await workflows.ended(made["id"])
    assert (done["status"], done["error"]) == ("completed", None)
    steps = by_name(done)
    # Only the one that failed was done again.
    assert model.calls == 5
    assert [len(step["tasks"]) for step in done["steps"]] == [1, 5, 4]
    assert [len(step["output"]["images"]) for step in done["steps"]] == [4, 4, 4]
    assert len({image["sha256"] for image in steps["upscale"]["output"]["images"]}) == 4


async def test_on_failure_fail_ends_it(workflows: WorkflowsUnderTest) -> None:
    async with workflows.running(units=1, upscaling=FailsOnce()):
        values = {"image_url": await workflows.picture_url()}
        made = await workflows.create(on_failure="fail", input=values)
        done = await workflows.ended(made["id"])
    assert done["status"] == "failed"
    assert done["error"].startswith("Step 'upscale' failed")
    statuses = {step["name"]: step["status"] for step in done["steps"]}
    assert statuses["upscale"] == "failed"
    assert statuses["background-removal"] == "cancelled"
    left = by_name(done)["upscale"]["tasks"]
    assert {task["status"] for task in left} <= {"completed", "failed", "cancelled"}
    await workflows.post(f"/workflows/{made['id']}/resume", 409)


async def test_a_task_cancelled_by_itself_is_a_failure(workflows: WorkflowsUnderTest) -> None:
    made = await workflows.create(input={"image_url": await workflows.picture_url()})
    (task,) = made["steps"][0]["tasks"]
    async with workflows.running(generation=_hangs):
        await workflows.post(f"/tasks/{task['id']}/cancel")
        paused = await workflows.until(made["id"], "paused")
    assert by_name(paused)["generate-base"]["error_code"] == "task_cancelled"
    async with workflows.running():
        await workflows.post(f"/workflows/{made['id']}/resume")
        done = await workflows.ended(made["id"])
    assert done["status"] == "completed"


async def _hangs(request: Any) -> AsyncIterator[Event]:
    yield Started()
    await asyncio.Event().wait()


async def test_a_pause_starts_nothing_and_keeps_what_runs(workflows: WorkflowsUnderTest) -> None:
    release = asyncio.Event()

    async def slow(request: Any) -> AsyncIterator[Event]:
        await release.wait()
        async for event in enlarges(request):
            yield event

    async with workflows.running(units=2, upscaling=slow):
        made = await workflows.create(input={"image_url": await workflows.picture_url()})
        async with asyncio.timeout(20):
            while len(workflows.handles["upscaling"].requests) < 2:
                await asyncio.sleep(0.02)
        paused = await workflows.post(f"/workflows/{made['id']}/pause")
        assert paused["status"] == "paused"
        again = await workflows.post(f"/workflows/{made['id']}/pause")
        assert again["status"] == "paused"
        release.set()
        async with asyncio.timeout(20):
            while (await _tasks(workflows, made, "upscale")).count("completed") < 2:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.4)
        # Two were running; the others were in the queue, and are still.
        assert (
            sorted(await _tasks(workflows, made, "upscale")) == ["completed"] * 2 + ["pending"] * 2
        )
        await workflows.post(f"/workflows/{made['id']}/resume")
        done = await workflows.ended(made["id"])
    assert done["status"] == "completed"
    assert len(workflows.handles["upscaling"].requests) == 4


async def _tasks(workflows: WorkflowsUnderTest, made: Any, step: str) -> list[str]:
    found = by_name(await workflows.get(made["id"]))[step]["tasks"]
    return [task["status"] for task in found]


async def test_an_approval_waits_for_a_person(workflows: WorkflowsUnderTest) -> None:
    steps = [STEPS[0], APPROVE, {**STEPS[1], "depends_on": ["look"]}]
    async with workflows.running():
        made = await workflows.create(steps, input={"image_url": await workflows.picture_url()})
        paused = await workflows.until(made["id"], "paused")
        look = by_name(paused)["look"]
        assert (look["status"], len(look["output"]["images"])) == ("waiting", 4)
        assert (paused["current_step"], paused["error"]) == (1, None)
        await workflows.post(f"/workflows/{made['id']}/resume")
        done = await workflows.ended(made["id"])
    assert done["status"] == "completed"
    assert len(by_name(done)["upscale"]["output"]["images"]) == 4


async def test_cancelling_cancels_the_tasks(workflows: WorkflowsUnderTest) -> None:
    async with workflows.running(units=2, upscaling=_hangs):
        made = await workflows.create(input={"image_url": await workflows.picture_url()})
        async with asyncio.timeout(20):
            while len(workflows.handles["upscaling"].requests) < 2:
                await asyncio.sleep(0.02)
        cancelled = await workflows.post(f"/workflows/{made['id']}/cancel")
        assert cancelled["status"] == "cancelled"
        async with asyncio.timeout(20):
            while set(await _tasks(workflows, made, "upscale")) != {"cancelled"}:
                await asyncio.sleep(0.02)
        again = await workflows.post(f"/workflows/{made['id']}/cancel")
    statuses = {step["name"]: step["status"] for step in again["steps"]}
    assert statuses == {
        "generate-base": "completed",
        "upscale": "cancelled",
        "background-removal": "cancelled",
    }


@pytest.mark.parametrize("action", ["start", "pause", "resume"])
async def test_what_does_not_go_with_a_state(workflows: WorkflowsUnderTest, action: str) -> None:
    made = await workflows.create()
    await workflows.post(f"/workflows/{made['id']}/cancel")
    answer = await workflows.client.post(f"/workflows/{made['id']}/{action}", json={})
    assert answer.status_code == 409
    assert "cancelled" in answer.json()["detail"]


async def test_branches_run_side_by_side(workflows: WorkflowsUnderTest) -> None:
    """Both branches wait for one another: neither could go first."""
    both = asyncio.Barrier(2)

    async def meets(request: Any) -> AsyncIterator[Event]:
        await both.wait()
        async for event in enlarges(request):
            yield event

    steps = [
        {**STEPS[0], "config": {"prompt": "a dress", "steps": 1}},
        {**STEPS[1], "name": "left"},
        {**STEPS[1], "name": "right", "config": {"operation": "upscale", "scale": 3}},
        {
            "name": "pack",
            "type": "export",
            "config": {"format": "jpeg"},
            "depends_on": ["left", "right"],
        },
    ]
    async with workflows.running(upscaling=meets):
        made = await workflows.create(steps, start=True)
        done = await workflows.ended(made["id"])
    assert done["status"] == "completed"
    file = by_name(done)["pack"]["output"]["file"]
    assert file["files"] == 2
    async with workflows.gateway.client(None) as anonymous:
        archive = await anonymous.get(file["url"])
    assert archive.content[:2] == b"PK"
    assert len(archive.content) == file["size"]


async def test_tasks_settled_at_once_move_it_on_once(workflows: WorkflowsUnderTest) -> None:
    """The last tasks of a step end in several transactions at the same time."""
    steps = [
        {**STEPS[0], "config": {"prompt": "a dress", "num_outputs": 8, "steps": 1}},
        STEPS[1],
        STEPS[2],
    ]
    async with workflows.running(units=16):
        made = [await workflows.create(steps, start=True) for _ in range(6)]
        ended = [await workflows.ended(one["id"]) for one in made]
    assert {one["status"] for one in ended} == {"completed"}
    for one in ended:
        assert [len(step["tasks"]) for step in one["steps"]] == [1, 8, 8]
    async with workflows.tenant.database.read() as session:
        from sqlalchemy import func, select

        assert await session.scalar(select(func.count()).select_from(Task)) == 6 * 17
