"""Trainings at a provider, and captions by one: from the POST to an adapter that is ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from serve_app.app import OBSERVERS
from serve_app.compute.runner.runner import Runner
from tests.factories.datasets import dataset
from tests.factories.lora_files import lora_file
from tests.fixtures.api import BASE_URL, Gateway, Tenant, a_tenant
from tests.fixtures.hosted.claude import FakeClaude, says
from tests.fixtures.hosted.fal import FakeFal
from tests.fixtures.hosted.gemini import FakeGemini
from tests.fixtures.hosted.platform import hosted_gateway
from tests.fixtures.models import FixedCapacity
from tests.fixtures.trainers import LocalTrainer, begin, training_runner, until

ENDPOINT = "fal-ai/flux-lora-fast-training"
PUBLIC = "https://studio.example"


@pytest.fixture
async def owner(
    tmp_path: Path, own_database_url: str, fal: FakeFal, claude: FakeClaude, gemini: FakeGemini
) -> AsyncIterator[Tenant]:
    async with (
        hosted_gateway(tmp_path, own_database_url, fal, claude, gemini) as gateway,
        a_tenant(gateway) as tenant,
    ):
        yield tenant


@pytest.fixture
async def at_work(owner: Tenant) -> AsyncIterator[None]:
    resources = owner.gateway.resources
    runner = Runner(
        "runner-hosted",
        resources,
        dict.fromkeys(resources.providers.names),
        lambda wake: FixedCapacity(8),  # type: ignore[arg-type,return-value]
        observers=OBSERVERS,
    )
    await runner.start()
    yield
    await runner.drain()


async def fetch(gateway: Gateway, url: str) -> httpx.Response:
    local = url.replace(PUBLIC, BASE_URL)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway.app)) as anybody:
        return await anybody.get(local)


async def test_what_fal_trains_is_an_adapter_like_our_own(
    owner: Tenant, at_work: None, fal: FakeFal
) -> None:
    fal.seconds = 1.0
    made = await begin(
        owner.compute,
        base_model="fal-flux-lora",
        config={"trigger_word": "mirxkq", "entity_type": "style"},
    )
    # While it is at it: the archive can be fetched by who has its URL, with captions in it.
    await until(owner.compute, made["id"], lambda found: bool(fal.jobs))
    (job,) = fal.jobs.values()
    assert job.app == ENDPOINT
    assert {name: job.arguments[name] for name in ("steps", "is_style", "trigger_word")} == {
        "steps": 6,
        "is_style": True,
        "trigger_word": "mirxkq",
    }
    sent = await fetch(owner.gateway, job.arguments["images_data_url"])
    with ZipFile(BytesIO(sent.content)) as archive:
        assert len(archive.namelist()) == 10
        assert archive.read("0000.txt") == b"a picture"
    done = await until(owner.compute, made["id"], "completed")
    lora = done["output"]["lora"]
    assert (lora["name"], lora["version"], lora["trigger_word"]) == ("mira", 1, "mirxkq")
    assert (await fetch(owner.gateway, lora["url"])).content == lora_file()
    # Nothing of it is left at a URL that was told to somebody.
    assert (await fetch(owner.gateway, job.arguments["images_data_url"])).status_code == 404

    listed = (await owner.compute.get("/loras/")).json()["items"]
    assert [(one["id"], one["base_model"]) for one in listed] == [(lora["id"], "fal-flux-lora")]


async def test_a_training_that_fal_refuses_leaves_no_adapter(
    owner: Tenant, at_work: None, fal: FakeFal
) -> None:
    fal.results[ENDPOINT] = {"diffusers_lora_file": fal.file("48x64.png", "image/png")}
    made = await begin(owner.compute, base_model="fal-flux-lora")
    failed = await until(owner.compute, made["id"], lambda found: bool(found["failures"]))
    assert failed["failures"][0]["code"] == "hosted_truncated"
    await owner.compute.post(f"/training/{made['id']}/cancel")
    assert (await owner.compute.get("/loras/")).json()["total"] == 0


async def test_a_model_that_nobody_trains_is_refused(owner: Tenant) -> None:
    body = {"dataset_url": "https://x.example/a.zip", "output_name": "mira"}
    refused = await owner.compute.post(
        "/training/", json={**body, "base_model": "gemini-flash-image"}
    )
    assert refused.status_code == 422
    assert "cannot be trained at gemini" in refused.text


async def test_pictures_without_a_caption_get_one(owner: Tenant, claude: FakeClaude) -> None:
    """Those that have one keep it; one that cannot be had is done without."""
    answer = {"caption": "a woman", "hair": "red", "build": "", "expression": "", "pose": ""}
    claude.answer = json.dumps(answer)
    claude.faults.append(says(400, "invalid_request_error", "the picture is too large"))
    files = {"file": dataset(5, _00="my own words")}
    stored = await owner.compute.post("/storage/datasets", files=files)
    trainer = LocalTrainer()
    async with training_runner(owner.gateway.resources, trainer):
        made = await begin(
            owner.compute,
            dataset_url=stored.json()["url"],
            config={"captioning": "hosted", "entity_type": "subject"},
        )
        await until(owner.compute, made["id"], "completed")
    (request,) = trainer.requests
    captions = [one.caption for one in request.examples]
    assert captions[0] == "my own words"
    assert sorted(captions[1:]) == ["a person", "a woman", "a woman", "a woman"]
    assert len(claude.asked) == 4
    assert all("Do not guess who it is" in one["system"] for one in claude.asked)


async def test_captions_that_were_given_are_not_asked_for_again(
    owner: Tenant, claude: FakeClaude
) -> None:
    answer = {"caption": "a woman", "hair": "red", "build": "", "expression": "", "pose": ""}
    claude.answer = json.dumps(answer)
    trainer = LocalTrainer(hold_at=2)
    async with training_runner(owner.gateway.resources, trainer):
        made = await begin(owner.compute, config={"captioning": "hosted"})
        await trainer.held.wait()
    again = LocalTrainer()
    async with training_runner(owner.gateway.resources, again):
        await until(owner.compute, made["id"], "completed")
    assert [one.caption for one in again.requests[-1].examples] == ["a woman"] * 5
    assert len(claude.asked) == 5
