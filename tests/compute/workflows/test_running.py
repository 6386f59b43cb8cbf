"""Workflows from their start to their end, on a real database and a real store."""

from __future__ import annotations

import httpx

from tests.fixtures.workflows import WorkflowsUnderTest


def names(workflow: dict) -> list[tuple[str, str]]:
    return [(step["name"], step["status"]) for step in workflow["steps"]]


async def test_pictures_flow_from_step_to_step(workflows: WorkflowsUnderTest) -> None:
    """One task for each picture; the start's picture flows into the first step."""
    created = await workflows.create()
    assert (created["status"], created["current_step"], created["progress"]) == ("created", 0, 0)
    url = f"/workflows/{created['id']}/start"
    started = await workflows.post(url, input={"image_url": await workflows.picture_url()})
    assert started["status"] == "running"
    assert names(started)[:2] == [("generate-base", "running"), ("upscale", "pending")]
    async with workflows.running():
        done = await workflows.ended(created["id"])
    assert (done["status"], done["current_step"], done["progress"]) == ("completed", None, 1)
    generated, upscaled, cut_out = (step["output"]["images"] for step in done["steps"])
    assert [len(images) for images in (generated, upscaled, cut_out)] == [4, 4, 4]
    assert [len(step["tasks"]) for step in done["steps"]] == [1, 4, 4]
    (request,) = workflows.handles["generation"].requests
    assert request.image is not None
    # In their order.
    assert [image["width"] for image in upscaled] == [2 * image["width"] for image in generated]
    assert len({image["sha256"] for image in cut_out}) == 4
    async with workflows.gateway.client(None) as anonymous:
        for image in cut_out:
            answer: httpx.Response = await anonymous.get(image["url"])
            assert answer.headers["content-type"] == "image/png"


async def test_events_say_what_happened(workflows: WorkflowsUnderTest) -> None:
    from sqlalchemy import select

    from db.models import Event

    created = await workflows.create(input={"image_url": await workflows.picture_url()})
    async with workflows.running():
        await workflows.ended(created["id"])
    async with workflows.tenant.database.read() as session:
        found = await session.scalars(
            select(Event)
            .where(Event.organization_id == workflows.tenant.organization_id)
            .order_by(Event.seq)
        )
        events = found.all()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    own = [
        (event.kind, event.data.get("step"))
        for event in events
        if event.subject_id == created["id"]
    ]
    assert own == [
        ("workflow.created", None),
        ("workflow.started", None),
        ("workflow.step_running", "generate-base"),
        ("workflow.step_completed", "generate-base"),
        ("workflow.step_running", "upscale"),
        ("workflow.step_completed", "upscale"),
        ("workflow.step_running", "background-removal"),
        ("workflow.step_completed", "background-removal"),
        ("workflow.completed", None),
    ]
