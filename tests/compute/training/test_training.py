"""A training from the POST to its adapter, with a trainer that needs neither Ray nor torch."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from serve_app.core.images import read_recipe
from tests.factories.datasets import archive, dataset, pictures
from tests.fixtures.api import Gateway, Tenant, a_tenant
from tests.fixtures.trainers import LocalTrainer, begin, training_runner, until, weights_of
from tests.fixtures.web import Web


@pytest.fixture
async def owner(own_gateway: Gateway) -> AsyncIterator[Tenant]:
    """An organization on a gateway of its own, whose settings a runner may change."""
    async with a_tenant(own_gateway) as tenant:
        yield tenant


async def fetch(owner: Tenant, url: str) -> bytes:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(owner.gateway.app)) as anybody:
        response = await anybody.get(url)
    assert response.status_code == 200, response.text
    return response.content


async def checkpoints(owner: Tenant) -> list[str]:
    store = owner.gateway.resources.store
    return [one.path async for one in store.list("trainings") if "/checkpoints/" in one.path]


async def test_a_training_makes_an_adapter(owner: Tenant) -> None:
    trainer = LocalTrainer()
    async with training_runner(owner.gateway.resources, trainer):
        body = {"trigger_word": "mirxkq", "sample_prompts": ["mirxkq in a dress", "mirxkq"]}
        made = await begin(owner.compute, config=body)
        assert made["id"].startswith("train_")
        assert (made["type"], made["status"], made["output"]) == ("training", "pending", None)
        done = await until(owner.compute, made["id"], "completed")
    (request,) = trainer.requests
    assert (request.model, request.output_name, request.config.seed) == ("atelier-tiny", "mira", 7)
    assert [one.caption for one in request.examples] == ["a person"] * 5
    output = done["output"]
    assert (done["progress"], output["phase"], done["failures"]) == (1.0, None, [])
    assert output["metrics"] | {"loss": 0} == {
        "current_epoch": 2,
        "total_epochs": 2,
        "current_step": 6,
        "total_steps": 6,
        "loss": 0,
        "learning_rate": 1e-4,
        "images_per_second": 8.0,
        "eta_seconds": 0.0,
    }
    lora = output["lora"]
    assert (lora["name"], lora["version"], lora["rank"]) == ("mira", 1, 16)
    assert lora["trigger_word"] == "mirxkq"
    weights = await fetch(owner, lora["url"])
    assert weights == weights_of(request)
    assert hashlib.sha256(weights).hexdigest() == lora["sha256"]
    assert output["best"] == output["last"]
    assert output["last"]["step"] == 6
    shown = [(one["step"], one["index"], one["prompt"], one["seed"]) for one in output["samples"]]
    first, second = "mirxkq in a dress", "mirxkq"
    assert shown == [(3, 0, first, 7), (3, 1, second, 8), (6, 0, first, 7), (6, 1, second, 8)]
    recipe = read_recipe(await fetch(owner, output["samples"][0]["url"]))
    assert recipe == {"prompt": first, "seed": 7, "step": 3, "training": made["id"]}


async def test_the_same_name_again_is_its_next_version(owner: Tenant) -> None:
    async with training_runner(owner.gateway.resources, LocalTrainer()):
        versions = []
        for _ in range(2):
            made = await begin(owner.compute)
            done = await until(owner.compute, made["id"], "completed")
            versions.append(done["output"]["lora"]["version"])
    assert versions == [1, 2]


async def test_it_is_watched_while_it_runs(owner: Tenant) -> None:
    trainer = LocalTrainer(hold_at=5)
    async with training_runner(owner.gateway.resources, trainer):
        made = await begin(owner.compute)
        running = await until(
            owner.compute,
            made["id"],
            lambda found: (found["output"] or {}).get("metrics") and found["progress"] > 0.6,
        )
        assert running["status"] == "running"
        output = running["output"]
        assert output["phase"] == "train"
        assert output["metrics"]["current_step"] == 4
        assert output["buckets"] == {"64x96": 5}
        assert [one["step"] for one in output["samples"]] == [3]
        assert output["lora"] is None
        task = (await owner.compute.get(f"/tasks/{made['id']}")).json()
        assert (task["type"], task["status"], task["output"]) == ("training", "running", None)
        history = (await owner.compute.get(f"/training/{made['id']}/metrics")).json()
        assert [one["step"] for one in history["steps"]] == [1, 2, 3, 4]
        assert [one["step"] for one in history["validations"]] == [3]
        later = await owner.compute.get(f"/training/{made['id']}/metrics", params={"after": 3})
        assert [one["step"] for one in later.json()["steps"]] == [4]
        assert later.json()["validations"] == []
        # The last one, and the one before it.
        assert len(await checkpoints(owner)) == 2


@pytest.mark.parametrize("steps", [0, 6])
async def test_the_plot_is_a_picture(owner: Tenant, steps: int) -> None:
    made = await begin(owner.compute)
    if steps:
        async with training_runner(owner.gateway.resources, LocalTrainer()):
            await until(owner.compute, made["id"], "completed")
    plot = await owner.compute.get(f"/training/{made['id']}/plot")
    assert (plot.status_code, plot.headers["content-type"]) == (200, "image/png")
    assert plot.content.startswith(b"\x89PNG")


@pytest.mark.parametrize("route", ["training", "tasks"])
async def test_cancelling_ends_the_run_at_once(owner: Tenant, route: str) -> None:
    trainer = LocalTrainer(hold_at=4)
    resources = owner.gateway.resources
    async with training_runner(resources, trainer):
        made = await begin(owner.compute)
        await trainer.held.wait()
        cancelled = await owner.compute.post(f"/{route}/{made['id']}/cancel")
        assert cancelled.json()["status"] == "cancelled"
        await until(owner.compute, made["id"], lambda _: trainer.closed == 1)
        await until(owner.compute, made["id"], "cancelled")
        # What only it needed goes; what it has shown stays.
        await _until_closed(owner)
    again = await owner.compute.post(f"/training/{made['id']}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    assert again.json()["output"]["lora"] is None
    assert len(again.json()["output"]["samples"]) == 1
    history = (await owner.compute.get(f"/training/{made['id']}/metrics")).json()
    assert len(history["steps"]) == 3
    assert [one async for one in resources.store.list("loras")] == []


async def _until_closed(owner: Tenant) -> None:
    async with asyncio.timeout(10):
        while await checkpoints(owner):
            await asyncio.sleep(0.02)


async def test_a_pending_training_that_is_cancelled_never_starts(owner: Tenant) -> None:
    made = await begin(owner.compute)
    assert (await owner.compute.post(f"/training/{made['id']}/cancel")).status_code == 200
    trainer = LocalTrainer()
    async with training_runner(owner.gateway.resources, trainer):
        other = await begin(owner.compute)
        await until(owner.compute, other["id"], "completed")
    assert len(trainer.requests) == 1
    assert (await owner.compute.get(f"/training/{made['id']}")).json()["attempt"] == 0


async def test_checkpoints_go_when_it_is_done(owner: Tenant) -> None:
    async with training_runner(owner.gateway.resources, LocalTrainer()):
        made = await begin(owner.compute)
        await until(owner.compute, made["id"], "completed")
        await _until_closed(owner)
    store = owner.gateway.resources.store
    assert len([one async for one in store.list("loras")]) == 1


async def test_a_dataset_from_anywhere(owner: Tenant, web: Web) -> None:
    files = {
        **pictures(3),
        "mira_front-01.png": next(iter(pictures(1).values())),
        "00.txt": "a red dress",
    }
    url = web.put("/model-ref.zip", archive(files))
    made = await begin(owner.compute, dataset_url=url, config={"captioning": "filename"})
    assert made["dataset"]["images"] == 4
    assert made["dataset"]["captions"] == 1
    trainer = LocalTrainer()
    async with training_runner(owner.gateway.resources, trainer):
        await until(owner.compute, made["id"], "completed")
    captions = {one.name: one.caption for one in trainer.requests[0].examples}
    assert captions == {
        "00.png": "a red dress",
        "01.png": "a person",
        "02.png": "a person",
        "mira_front-01.png": "mira front",
    }


async def test_epochs_become_steps(owner: Tenant) -> None:
    config: dict[str, Any] = {"epochs": 100, "steps": None, "batch_size": 2}
    made = await begin(owner.compute, config=config)
    # Five pictures are three batches.
    assert (made["config"]["steps"], made["config"]["epochs"]) == (300, 100)
    held_out = await begin(owner.compute, config=config | {"validation_split": 0.2})
    assert held_out["config"]["steps"] == 200


async def test_what_is_left_out_is_the_models_default(owner: Tenant) -> None:
    stored = (await owner.compute.post("/storage/datasets", files={"file": dataset(5)})).json()
    body = {"dataset_url": stored["url"], "output_name": "dress", "base_model": "default"}
    made = (await owner.compute.post("/training/", json=body)).json()
    config = made["config"]
    assert (config["steps"], config["rank"], config["alpha"]) == (500, 16, 16.0)
    assert (config["learning_rate"], config["batch_size"]) == (5e-4, 4)
    assert (config["train_text_encoder"], config["train_whole_blocks"]) == (True, False)
    assert (config["sample_every"], config["sample_prompts"]) == (50, ["a person"])
    assert isinstance(config["seed"], int)
    assert made["base_model"] == "atelier-tiny"


async def test_what_a_model_does_not_say_is_good_for_large_ones(owner: Tenant) -> None:
    object.__setattr__(owner.gateway.resources, "gpu", True)
    stored = (await owner.compute.post("/storage/datasets", files={"file": dataset(5)})).json()
    body = {"dataset_url": stored["url"], "output_name": "dress", "base_model": "sd-xl-base"}
    config = (await owner.compute.post("/training/", json=body)).json()["config"]
    assert (config["steps"], config["rank"], config["alpha"]) == (1000, 16, 16.0)
    assert (config["learning_rate"], config["batch_size"]) == (1e-4, 1)
    assert (config["train_text_encoder"], config["train_whole_blocks"]) == (False, False)


async def test_more_parts_than_the_models_batch_has_pictures(owner: Tenant) -> None:
    stored = (await owner.compute.post("/storage/datasets", files={"file": dataset(5)})).json()
    body = {"dataset_url": stored["url"], "output_name": "dress", "config": {"accumulation": 5}}
    refused = await owner.compute.post("/training/", json=body)
    assert refused.status_code == 422
    (error,) = refused.json()["detail"]
    assert error["loc"] == ["body", "config", "accumulation"]
    assert error["msg"] == "accumulation: must not be more than batch_size, 4"


async def test_a_request_that_is_sent_twice(owner: Tenant) -> None:
    stored = (await owner.compute.post("/storage/datasets", files={"file": dataset(5)})).json()
    body = {"dataset_url": stored["url"], "output_name": "dress"}
    headers = {"Idempotency-Key": "once"}
    first, second = [
        await owner.compute.post("/training/", json=body, headers=headers) for _ in range(2)
    ]
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (await owner.compute.get("/training/")).json()["total"] == 1


async def test_lists_and_their_filters(owner: Tenant) -> None:
    made = [
        await begin(owner.compute, output_name=name, config={"entity_type": kind})
        for name, kind in (("mira", "subject"), ("dress", "product"), ("mira", "style"))
    ]
    await owner.compute.post(f"/training/{made[0]['id']}/cancel")

    async def listed(**params: str) -> list[str]:
        found = (await owner.compute.get("/training/", params=params)).json()
        assert found["total"] == len(found["items"])
        return [one["id"] for one in found["items"]]

    ids = [one["id"] for one in made]
    assert await listed() == ids[::-1]
    assert await listed(status="cancelled") == [ids[0]]
    assert await listed(output_name="mira") == [ids[2], ids[0]]
    assert await listed(entity_type="product", base_model="atelier-tiny") == [ids[1]]
    assert await listed(base_model="other") == []
    assert await listed(created_after="2999-01-01T00:00:00Z") == []
    assert len(await listed(created_before="2999-01-01T00:00:00Z")) == 3
    second = (await owner.compute.get("/training/", params={"page": 2, "size": 2})).json()
    assert ([one["id"] for one in second["items"]], second["total"]) == ([ids[0]], 3)
    tasks = (await owner.compute.get("/tasks/", params={"type": "training"})).json()
    assert [one["id"] for one in tasks["items"]] == ids[::-1]
