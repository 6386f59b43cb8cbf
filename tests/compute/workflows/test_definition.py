"""What is wrong with a workflow is said before anything of it is stored, with the step's name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.api import NOTHING, Tenant
from tests.fixtures.workflows import STEPS

GENERATE, UPSCALE, CUT = STEPS


def changed(step: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**step, **changes}


def mapped(target: str, source: str, **changes: Any) -> dict[str, Any]:
    return changed(UPSCALE, input_mappings={target: source}, **changes)


BASE = "steps.generate-base.output.images"
WRONG: dict[str, tuple[list[dict[str, Any]], list[str | int], str]] = {
    "cycle": (
        [changed(GENERATE, depends_on=["upscale"]), UPSCALE],
        [0, "depends_on"],
        "depend on one another",
    ),
    "itself": (
        [changed(GENERATE, depends_on=["generate-base"])],
        [0, "depends_on"],
        "depend on one another",
    ),
    "unknown name": (
        [GENERATE, changed(UPSCALE, depends_on=["generate-base", "nobody"])],
        [1, "depends_on", 1],
        "there is no step 'nobody'",
    ),
    "same name": ([GENERATE, changed(UPSCALE, name="generate-base")], [1, "name"], "this name"),
    "unknown type": ([changed(GENERATE, type="magic")], [0, "type"], "unknown type 'magic'"),
    "unknown operation": (
        [GENERATE, changed(UPSCALE, config={"operation": "blur"})],
        [1, "config", "operation"],
        "use one of composite, convert, remove-background, upscale",
    ),
    "config of another type": (
        [GENERATE, changed(UPSCALE, config={"operation": "upscale", "scale": 7})],
        [1, "config", "scale"],
        "scale: Input should be 2, 3 or 4",
    ),
    "misspelt field": (
        [changed(GENERATE, config={"promt": "a dress", "prompt": "a"})],
        [0, "config", "promt"],
        "check its spelling",
    ),
    "beyond the model": (
        [changed(GENERATE, config={"prompt": "a", "num_outputs": 99})],
        [0, "config", "num_outputs"],
        "at most",
    ),
    "unknown lora": (
        [changed(GENERATE, config={"prompt": "a", "loras": [{"name": "nobody"}]})],
        [0, "config", "loras"],
        "there is no LoRA named 'nobody'",
    ),
    "no mapping": (
        [GENERATE, mapped("image_url", "generate-base.images")],
        [1, "input_mappings", "image_url"],
        "a mapping is steps.<name>",
    ),
    "mapping from nowhere": (
        [GENERATE, mapped("image_url", "steps.nobody.output.images[0].url")],
        [1, "input_mappings", "image_url"],
        "the step 'nobody' does not exist",
    ),
    "mapping from no ancestor": (
        [GENERATE, mapped("image_url", f"{BASE}[0].url", depends_on=[])],
        [1, "input_mappings", "image_url"],
        "does not come before it",
    ),
    "mapping of an unknown field": (
        [GENERATE, mapped("image_url", f"{BASE}[0].colour")],
        [1, "input_mappings", "image_url"],
        "an image has the fields url",
    ),
    "mapping to an unknown field": (
        [GENERATE, mapped("pictures", f"{BASE}[0].url")],
        [1, "input_mappings", "pictures"],
        "no field 'pictures'",
    ),
    "mapping of another type": (
        [
            GENERATE,
            mapped("scale", f"{BASE}[0].content_type", config={"operation": "upscale"}),
        ],
        [1, "config", "scale"],
        "scale: Input should be 2, 3 or 4",
    ),
    "mapping behind the last image": (
        [GENERATE, mapped("image_url", f"{BASE}[4].url")],
        [1, "input_mappings", "image_url"],
        "makes 4 images",
    ),
    "given twice": (
        [GENERATE, mapped("scale", "input.scale")],
        [1, "input_mappings", "scale"],
        "given in the config too",
    ),
    "too many pictures": (
        [changed(GENERATE, name=f"g{n}", depends_on=[f"g{n - 1}"] if n else []) for n in range(7)],
        [5, "depends_on"],
        "more than 1,000 pictures",
    ),
    "too many steps": (
        [changed(GENERATE, name=f"step-{number}") for number in range(101)],
        [100],
        "step 'step-100': at most 100 steps",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_definition_names_its_step(tenant: Tenant, case: str) -> None:
    steps, where, text = WRONG[case]
    answer = await tenant.compute.post("/workflows/", json={"name": "wrong", "steps": steps})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", "steps", *where], error
    assert text in error["msg"], error
    name = steps[int(where[0])]["name"]
    assert f"'{name}'" in error["msg"]
    assert await tenant.stored() == NOTHING
    assert (await tenant.compute.get("/workflows/")).json()["total"] == 0


STARTS: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "no picture": ({}, ["image_url"], "step 'cut': it needs 'image_url'"),
    "a picture that is none": (
        {"image_url": "http://10.0.0.1/dress.jpg"},
        ["image_url"],
        "step 'cut': Invalid input",
    ),
    "no text": ({"image_url": 7}, ["image_url"], "the URL of a picture"),
    "of no use": ({"image_url": "x", "imageurl": "y"}, ["imageurl"], "no step takes 'imageurl'"),
}


@pytest.mark.parametrize("case", STARTS)
async def test_a_wrong_start_starts_nothing(tenant: Tenant, case: str) -> None:
    values, where, text = STARTS[case]
    cut = {"name": "cut", "type": "processing", "config": {"operation": "remove-background"}}
    made = await tenant.compute.post("/workflows/", json={"name": "one", "steps": [cut]})
    url = f"/workflows/{made.json()['id']}"
    answer = await tenant.compute.post(f"{url}/start", json={"input": values})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", "input", *where]
    assert text in error["msg"]
    assert (await tenant.compute.get(url)).json()["status"] == "created"
    assert (await tenant.stored())["tasks"] == 0


async def test_input_values_are_checked_where_they_go(tenant: Tenant) -> None:
    step = {
        "name": "make",
        "type": "generation",
        "config": {},
        "input_mappings": {"prompt": "input.prompt", "num_outputs": "input.count"},
    }
    body = {"name": "one", "steps": [step], "input": {"prompt": "a dress", "count": "four"}}
    answer = await tenant.compute.post("/workflows/?start=true", json=body)
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", "input", "count"]
    body["input"] = {"prompt": "a dress", "count": 2}
    answer = await tenant.compute.post("/workflows/?start=true", json=body)
    assert answer.status_code == 201, answer.text
    (task,) = answer.json()["steps"][0]["tasks"]
    config = (await tenant.compute.get(f"/tasks/generation/{task['id']}")).json()["config"]
    assert (config["prompt"], config["num_outputs"]) == ("a dress", 2)


async def test_a_workflow_is_made_once_for_a_key(tenant: Tenant) -> None:
    body = {"name": "one", "steps": [GENERATE], "input": {}}
    headers = {"Idempotency-Key": "again"}
    answers = [
        await tenant.compute.post("/workflows/?start=true", json=body, headers=headers)
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert (await tenant.stored())["tasks"] == 1
