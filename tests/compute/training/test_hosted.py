"""Trainings at a provider, and captions by one: from the POST to an adapter that is ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from serve_app.app import OBSERVERS
from serve_app.compute.runner.runner import Runner
from tests.factories.lora_files import lora_file
from tests.fixtures.api import BASE_URL, Gateway, Tenant, a_tenant
from tests.fixtures.hosted.claude import FakeClaude
from tests.fixtures.hosted.fal import FakeFal
from tests.fixtures.hosted.gemini import FakeGemini
from tests.fixtures.hosted.platform import hosted_gateway
from tests.fixtures.models import FixedCapacity
from tests.fixtures.trainers import begin, until

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
