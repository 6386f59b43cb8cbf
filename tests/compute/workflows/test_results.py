"""What flows, what is reused, and what a cleanup removes."""

from __future__ import annotations

from typing import Any

from tests.fixtures.workflows import STEPS, WorkflowsUnderTest

SEEDED = {**STEPS[0], "config": {"prompt": "a dress", "num_outputs": 2, "steps": 1, "seed": 7}}


def images(workflow: dict[str, Any], position: int) -> list[Any]:
    found: list[Any] = workflow["steps"][position]["output"]["images"]
    return found


async def run(workflows: WorkflowsUnderTest, steps: list[dict[str, Any]], **body: Any) -> Any:
    made = await workflows.create(steps, start=True, **body)
    return await workflows.ended(made["id"])


async def test_a_mapping_picks_one_image(workflows: WorkflowsUnderTest) -> None:
    mapped = {
        **STEPS[1],
        "input_mappings": {"image_url": "steps.generate-base.output.images[1].url"},
    }
    again = {
        "name": "again",
        "type": "generation",
        "config": {"prompt": "another", "num_outputs": 1, "steps": 1},
        "depends_on": ["upscale"],
        "input_mappings": {
            "seed": "steps.generate-base.output.images[1].seed",
            "image_url": "steps.upscale.output.images[0].url",
        },
    }
    async with workflows.running():
        done = await run(workflows, [SEEDED, mapped, again])
    assert done["status"] == "completed", done["error"]
    assert len(images(done, 1)) == 1
    assert images(done, 2)[0]["seed"] == 8
    request = workflows.handles["generation"].requests[-1]
    assert request.image is not None
    assert request.image.shape[1] == images(done, 1)[0]["width"]


async def test_operations_without_a_model(workflows: WorkflowsUnderTest) -> None:
    steps = [
        SEEDED,
        {**STEPS[2], "depends_on": ["generate-base"]},
        {
            "name": "red",
            "type": "processing",
            "config": {"operation": "composite", "background_color": "#ff0000"},
            "depends_on": ["background-removal"],
        },
        {
            "name": "small",
            "type": "processing",
            "config": {"operation": "convert", "output_format": "webp", "width": 32},
            "depends_on": ["red"],
        },
        {
            "name": "opaque",
            "type": "processing",
            "config": {"operation": "composite"},
            "depends_on": ["generate-base"],
        },
    ]
    async with workflows.running():
        made = await workflows.create(steps[:4], start=True)
        done = await workflows.ended(made["id"])
        refused = await workflows.create([steps[0], steps[4]], start=True)
        refused = await workflows.until(refused["id"], "paused")
    assert done["status"] == "completed", done["error"]
    assert {image["content_type"] for image in images(done, 3)} == {"image/webp"}
    assert {image["width"] for image in images(done, 3)} == {32}
    # The corner is background.
    from io import BytesIO

    from PIL import Image

    async with workflows.gateway.client(None) as anonymous:
        answer = await anonymous.get(images(done, 2)[0]["url"])
    assert Image.open(BytesIO(answer.content)).convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert "no transparency" in refused["error"]


async def test_equal_steps_are_reused_when_that_is_wanted(workflows: WorkflowsUnderTest) -> None:
    steps = [SEEDED, STEPS[1]]
    other = [{**SEEDED, "config": {**SEEDED["config"], "seed": 9}}, STEPS[1]]
    async with workflows.running():
        await run(workflows, steps)
        anew = await run(workflows, steps)
        reused = await run(workflows, steps, cache=True)
        different = await run(workflows, other, cache=True)
    assert [step["reused"] for step in anew["steps"]] == [False, False]
    assert [step["reused"] for step in reused["steps"]] == [True, True]
    assert [step["tasks"] for step in reused["steps"]] == [[], []]
    assert [one["sha256"] for one in images(reused, 1)] == [
        one["sha256"] for one in images(anew, 1)
    ]
    assert [step["reused"] for step in different["steps"]] == [False, False]
    assert len(workflows.handles["generation"].requests) == 3


async def test_a_cleanup_keeps_the_last_outputs(workflows: WorkflowsUnderTest) -> None:
    async with workflows.running():
        made = await workflows.create([SEEDED, STEPS[1]])
        url = f"/workflows/{made['id']}"
        await workflows.post(f"{url}/start")
        await workflows.post(f"{url}/cleanup", 409)
        done = await workflows.ended(made["id"])
        first, last = images(done, 0), images(done, 1)
        cleaned = await workflows.post(f"{url}/cleanup")
        assert cleaned["objects"] == 2
        assert cleaned["bytes"] == sum(image["size"] for image in first)
        assert (cleaned["kept"], cleaned["steps"]) == (2, ["generate-base"])
        assert (await workflows.post(f"{url}/cleanup"))["objects"] == 0
        async with workflows.gateway.client(None) as anonymous:
            assert {(await anonymous.get(one["url"])).status_code for one in first} == {404}
            assert {(await anonymous.get(one["url"])).status_code for one in last} == {200}
        # What is gone is not reused.
        again = await run(workflows, [SEEDED, STEPS[1]], cache=True)
        assert [step["reused"] for step in again["steps"]] == [False, False]


async def test_what_others_have_taken_over_is_kept(workflows: WorkflowsUnderTest) -> None:
    async with workflows.running():
        first = await run(workflows, [SEEDED, STEPS[1]])
        second = await run(workflows, [SEEDED, STEPS[1]], cache=True)
    assert [step["reused"] for step in second["steps"]] == [True, True]
    kept = await workflows.post(f"/workflows/{first['id']}/cleanup?all=true")
    assert (kept["objects"], kept["kept"], kept["steps"]) == (0, 4, [])
    # The others let go of what comes before their last outputs, but these are the first one's too.
    assert (await workflows.post(f"/workflows/{second['id']}/cleanup"))["objects"] == 0
    async with workflows.gateway.client(None) as anonymous:
        for image in [*images(second, 0), *images(second, 1)]:
            assert (await anonymous.get(image["url"])).status_code == 200
