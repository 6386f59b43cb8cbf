"""A model that fails, or keeps a generation waiting, and the one that stands in for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from configs.settings import LimitSettings
from db.models import CreditEntry, GenerationStep, Organization, Role, Task
from db.repositories.hosted import ProviderCircuits
from deployments.contracts import Event, GenerationRequest, Started
from deployments.errors import InvalidInput, OutOfMemory
from tests.factories.users import make_token, make_user
from tests.fixtures.api import Gateway
from tests.fixtures.hosted.claude import FakeClaude
from tests.fixtures.hosted.fal import FakeFal, hangs_up, says
from tests.fixtures.hosted.platform import hosted_gateway
from tests.fixtures.studio import StudioUnderTest

LOCAL, HOSTED = "atelier-tiny", "fal-flux-lora"


@pytest.fixture
async def own_gateway(
    tmp_path: Path, own_database_url: str, fal: FakeFal, claude: FakeClaude
) -> AsyncIterator[Gateway]:
    limits = LimitSettings(requests=False, pending_per_organization=2)
    async with hosted_gateway(tmp_path, own_database_url, fal, claude, limits=limits) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
async def plain_product(studio: StudioUnderTest) -> None:
    """Of which there is no picture, so that a model that takes none can make it."""
    async with studio.gateway.resources.database.write() as session:
        await session.execute(text("DELETE FROM product_images"))


async def fails(request: GenerationRequest) -> AsyncIterator[Event]:
    yield Started()
    raise OutOfMemory("the model does not fit")


async def stands_in(studio: StudioUnderTest, model: str | None, seconds: int | None = None) -> None:
    async with studio.gateway.resources.database.write() as session:
        organization = await session.get_one(Organization, studio.scope.organization_id)
        organization.fallback_model = model
        organization.fallback_after_seconds = seconds


async def begin(studio: StudioUnderTest, index: int = 0, **body: Any) -> Any:
    return await studio.post(f"/shots/{studio.shot_ids[index]}/generate", **body)


async def tasks(studio: StudioUnderTest) -> list[tuple[str, str]]:
    async with studio.gateway.resources.database.read() as session:
        found = await session.execute(select(Task.queue, Task.status).order_by(Task.id))
    return [(queue, status.value) for queue, status in found]


async def balance(studio: StudioUnderTest) -> int:
    """What was taken for generations and given back, in all."""
    async with studio.gateway.resources.database.read() as session:
        total = await session.scalar(
            select(func.coalesce(func.sum(CreditEntry.amount), 0)).where(
                CreditEntry.generation_id.is_not(None)
            )
        )
    assert total is not None
    return int(total)


async def test_admins_say_which_model_stands_in(studio: StudioUnderTest) -> None:
    url = f"/organizations/{studio.scope.organization_id}"
    # The studio's own client is an editor.
    assert (await studio.client.patch(url, json={"fallback_model": HOSTED})).status_code == 403
    resources = studio.gateway.resources
    admin = await make_user(
        resources.database, memberships={studio.scope.organization_id: Role.ADMIN}
    )
    token = await make_token(resources, admin)
    async with studio.gateway.client(token, "/api/v1") as client:
        body = {"fallback_model": HOSTED, "fallback_after_seconds": 60}
        changed = (await client.patch(url, json=body)).json()
        assert {name: changed[name] for name in body} == body
        # What is absent stays, null takes away.
        kept = (await client.patch(url, json={"name": "Nord"})).json()
        assert kept["fallback_model"] == HOSTED
        gone = (await client.patch(url, json={"fallback_model": None})).json()
        assert gone["fallback_model"] is None
        assert gone["fallback_after_seconds"] == 60
        for wrong in ({"fallback_model": "dall-e"}, {"fallback_after_seconds": 0}):
            refused = await client.patch(url, json=wrong)
            assert refused.status_code == 422
            assert refused.json()["detail"][0]["loc"] == ["body", *wrong]


async def test_a_hosted_model_makes_what_our_own_failed_at(
    studio: StudioUnderTest, fal: FakeFal
) -> None:
    await stands_in(studio, HOSTED)
    begun = await begin(studio, model_id=LOCAL, num_predictions=2, seed=5, steps=3)
    assert (begun["model_id"], begun["fallen_back"]) == (LOCAL, None)
    async with studio.running(generation=fails):
        done = await studio.ended(begun["id"])
    assert done["status"] == "completed", done["error"]
    assert done["model_id"] == HOSTED
    assert done["fallen_back"] == {
        "model_id": LOCAL,
        "code": "out_of_memory",
        "reason": "the model does not fit",
    }
    assert [one["seed"] for one in done["predictions"]] == [5, 6]
    assert (done["inputs"]["config"]["model"], done["error"]) == (HOSTED, None)
    assert await tasks(studio) == [("generation", "failed"), ("fal", "completed")]
    assert len(fal.jobs) == 1
    # Two images were agreed on, and two are paid for.
    assert (done["credits_charged"], await balance(studio)) == (2, -2)
    assert (await studio.shot()).status == "review"


async def test_our_own_model_makes_what_a_hosted_one_failed_at(
    studio: StudioUnderTest, fal: FakeFal
) -> None:
    await stands_in(studio, LOCAL)
    fal.on_submit.append(says(402, "the balance is exhausted"))
    begun = await begin(studio, model_id=HOSTED)
    async with studio.running():
        done = await studio.ended(begun["id"])
    assert (done["status"], done["model_id"]) == ("completed", LOCAL)
    assert done["fallen_back"]["model_id"] == HOSTED
    assert done["fallen_back"]["code"] == "hosted_quota"
    assert await balance(studio) == -1
    # It can be made again, by the model that has made it.
    again = await studio.post(f"/generations/{done['id']}/reproduce")
    assert (again["model_id"], again["fallen_back"]) == (LOCAL, None)


async def test_when_both_fail_the_credits_come_back(studio: StudioUnderTest, fal: FakeFal) -> None:
    await stands_in(studio, HOSTED)
    fal.on_submit.append(says(422, "no such size"))
    begun = await begin(studio, model_id=LOCAL, num_predictions=3)
    async with studio.running(generation=fails):
        done = await studio.ended(begun["id"])
    assert (done["status"], done["error_code"]) == ("failed", "hosted_invalid")
    assert (done["credits_charged"], await balance(studio)) == (0, 0)
    assert len(await tasks(studio)) == 2


@pytest.mark.parametrize("submitted", [hangs_up, says(422, "x", x_fal_error_type="content_policy")])
async def test_nothing_is_handed_over_that_may_be_made_already_or_is_refused(
    studio: StudioUnderTest, fal: FakeFal, submitted: Any
) -> None:
    await stands_in(studio, LOCAL)
    if submitted is hangs_up:
        fal.on_submit.append(submitted)
    else:
        fal.results[HOSTED_ENDPOINT] = {"images": [], "has_nsfw_concepts": [True]}
    begun = await begin(studio, model_id=HOSTED)
    async with studio.running():
        done = await studio.ended(begun["id"])
    assert done["status"] == "failed"
    assert done["error_code"] in {"hosted_outcome_unknown", "hosted_refused"}
    assert (done["fallen_back"], await balance(studio)) == (None, 0)
    assert [queue for queue, _ in await tasks(studio)] == ["fal"]


HOSTED_ENDPOINT = "fal-ai/flux-lora"


async def test_a_request_that_cannot_work_is_not_tried_elsewhere(
    studio: StudioUnderTest, fal: FakeFal
) -> None:
    async def refuses(request: GenerationRequest) -> AsyncIterator[Event]:
        yield Started()
        raise InvalidInput("no such colour")

    await stands_in(studio, HOSTED)
    begun = await begin(studio, model_id=LOCAL)
    async with studio.running(generation=refuses):
        done = await studio.ended(begun["id"])
    assert (done["status"], done["error_code"]) == ("failed", "invalid_input")
    assert not fal.jobs


async def test_what_waits_too_long_is_handed_over_once(
    studio: StudioUnderTest, fal: FakeFal
) -> None:
    """The one at work stays where it is; two runners look at those that wait."""
    going, free = asyncio.Event(), asyncio.Event()

    async def hangs(request: GenerationRequest) -> AsyncIterator[Event]:
        yield Started()
        going.set()
        await free.wait()
        raise OutOfMemory("it was in vain")
        yield

    await stands_in(studio, HOSTED, 1)
    first = await begin(studio, 0, model_id=LOCAL)
    async with studio.running(units=1, generation=hangs):
        await going.wait()
        second = await begin(studio, 1, model_id=LOCAL, num_predictions=2)
        async with studio.running(units=1, generation=hangs):
            done = await studio.ended(second["id"])
        waiting = await studio.get(f"/generations/{first['id']}")
        assert (waiting["status"], waiting["model_id"]) == ("running", LOCAL)
        free.set()
        await studio.ended(first["id"])
    assert (done["status"], done["model_id"]) == ("completed", HOSTED)
    assert done["fallen_back"]["code"] == "saturated"
    assert len(fal.jobs) == 2  # one for each of the two generations
    assert await balance(studio) == -3
    async with studio.gateway.resources.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(GenerationStep)) == 2


async def test_a_full_queue_hands_over_at_once(studio: StudioUnderTest) -> None:
    await stands_in(studio, HOSTED)
    queue = {"type": "generation", "queue": "generation"}
    async with studio.gateway.resources.database.write() as session:
        session.add_all(
            Task(organization_id=studio.scope.organization_id, config={}, **queue) for _ in range(2)
        )
    begun = await begin(studio, model_id=LOCAL)
    assert begun["model_id"] == HOSTED
    assert begun["fallen_back"]["code"] == "saturated"
    await stands_in(studio, None)
    refused = await studio.client.post(
        f"/shots/{studio.shot_ids[1]}/generate", json={"model_id": LOCAL}
    )
    assert refused.status_code == 503


async def test_a_provider_that_is_left_alone_is_not_asked(
    studio: StudioUnderTest, fal: FakeFal
) -> None:
    await stands_in(studio, LOCAL)
    await fails_often(studio, "fal")
    begun = await begin(studio, model_id=HOSTED, seed=5)
    assert (begun["model_id"], begun["seed"]) == (LOCAL, 5)
    first = begun["fallen_back"]
    assert (first["model_id"], first["code"]) == (HOSTED, "hosted_circuit_open")
    assert first["reason"].startswith("fal has failed too often of late: nothing is sent for ")
    assert await tasks(studio) == [("generation", "pending")]
    assert (begun["credits_charged"], await balance(studio)) == (1, -1)
    # Nobody is better off with another model that is left alone as well.
    await stands_in(studio, "fal-flux-kontext")
    kept = await begin(studio, 1, model_id=HOSTED)
    assert (kept["model_id"], kept["fallen_back"]) == (HOSTED, None)
    assert fal.jobs == {}


async def fails_often(studio: StudioUnderTest, provider: str) -> None:
    async with studio.gateway.resources.database.write() as session:
        await ProviderCircuits(session).failed(
            provider, "broken", threshold=1, seconds=60, at_once=True
        )


async def test_it_is_not_asked_either_once_the_prompt_is_there(
    studio: StudioUnderTest, fal: FakeFal, claude: FakeClaude
) -> None:
    await stands_in(studio, LOCAL)
    await fails_often(studio, "fal")
    claude.answer = json.dumps({"prompt": "a red linen dress", "negative_prompt": ""})
    begun = await begin(studio, model_id=HOSTED, composer="claude-haiku")
    assert begun["model_id"] == HOSTED
    async with studio.running():
        done = await studio.ended(begun["id"])
    assert (done["status"], done["model_id"]) == ("completed", LOCAL), done["error"]
    assert done["fallen_back"]["code"] == "hosted_circuit_open"
    assert (done["prompt"], done["composed_by"]) == ("a red linen dress", "claude-haiku")
    assert await tasks(studio) == [("claude", "completed"), ("generation", "completed")]


async def test_a_model_that_cannot_make_it_is_said_to(studio: StudioUnderTest) -> None:
    await stands_in(studio, HOSTED)
    begun = await begin(studio, model_id=LOCAL, num_predictions=8)
    (note,) = [one for one in begun["notes"] if HOSTED in one]
    assert note == f"{HOSTED} cannot stand in: num_outputs: at most 4 for this model"
