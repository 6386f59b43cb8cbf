"""From a shot to its images, on a real queue and store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from uuid import UUID

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from db.models import (
    BackgroundPreset,
    CreditEntry,
    Event,
    Generation,
    GenerationStep,
    ResolutionPreset,
    Style,
    Subscription,
    Task,
)
from db.repositories import TaskQueue
from deployments.contracts import Event as ModelEvent
from deployments.contracts import GenerationRequest, Started
from deployments.errors import InvalidInput
from tests.factories.presets import make_background, make_resolution
from tests.fixtures.studio import StudioUnderTest


async def pixels(studio: StudioUnderTest, url: str) -> np.ndarray:
    async with studio.gateway.client(None) as anybody:
        response = await anybody.get(url)
    assert response.status_code == 200
    return np.asarray(Image.open(BytesIO(response.content)))


async def credits_left(studio: StudioUnderTest) -> int:
    async with studio.gateway.resources.database.read() as session:
        left = await session.scalar(
            select(Subscription.credits_remaining).where(
                Subscription.organization_id == studio.scope.organization_id
            )
        )
    assert left is not None
    return left


async def test_a_shot_gets_its_images(studio: StudioUnderTest) -> None:
    begun = await studio.post(
        f"/shots/{studio.shot_ids[0]}/generate", num_predictions=2, seed=7, prompt="smiling"
    )
    assert begun["status"] == "pending"
    assert begun["credits_charged"] == 2
    assert "wearing a red summer dress made of linen" in begun["prompt"]
    assert begun["prompt"].endswith("smiling")
    assert (await studio.shot()).status == "generating"
    async with studio.running():
        done = await studio.ended(begun["id"], "completed")
    assert [one["seed"] for one in done["predictions"]] == [7, 8]
    assert done["progress"] == 1.0
    shot = await studio.shot()
    assert shot.status == "review"
    assert str(shot.current_prediction_id) == done["predictions"][0]["id"]
    first = await pixels(studio, done["predictions"][0]["image_url"])
    assert first.shape == (192, 128, 3)
    (request,) = studio.handles["generation"].requests
    assert request.image is not None
    async with studio.gateway.resources.database.read() as session:
        kinds = (await session.scalars(select(Event.kind).order_by(Event.seq))).all()
    assert kinds[-2:] == ["task.completed", "generation.completed"] or kinds[-2:] == [
        "generation.completed",
        "task.completed",
    ]


async def test_reproduced_images_have_the_same_pixels(studio: StudioUnderTest) -> None:
    begun = await studio.post(f"/shots/{studio.shot_ids[0]}/generate", num_predictions=2)
    async with studio.running():
        first = await studio.ended(begun["id"])
        # What the catalog says now is of no matter.
        await studio.client.patch(f"/products/{studio.product_id}", json={"color": "blue"})
        again = await studio.post(f"/generations/{begun['id']}/reproduce")
        second = await studio.ended(again["id"])
    assert again["reproduces_id"] == begun["id"]
    for one, other in zip(first["predictions"], second["predictions"], strict=True):
        assert one["id"] != other["id"]
        np.testing.assert_array_equal(
            await pixels(studio, one["image_url"]), await pixels(studio, other["image_url"])
        )
    assert str((await studio.shot()).current_prediction_id) == first["predictions"][0]["id"]


async def test_background_and_resolution(studio: StudioUnderTest) -> None:
    database = studio.gateway.resources.database
    background: BackgroundPreset = await make_background(database, studio.scope, color="#102030")
    resolution: ResolutionPreset = await make_resolution(
        database, studio.scope, width=320, height=480
    )
    await studio.change_look(
        background_preset_id=background.id, resolution_preset_id=resolution.id, file_format="png"
    )
    begun = await studio.post(f"/shots/{studio.shot_ids[0]}/generate", num_predictions=2)
    async with studio.running():
        done = await studio.ended(begun["id"], "completed", "failed")
    assert done["error"] is None
    for one in done["predictions"]:
        image = await pixels(studio, one["image_url"])
        assert image.shape == (480, 320, 3)
        assert tuple(image[2, 2]) == (0x10, 0x20, 0x30)
        assert (one["width"], one["height"]) == (320, 480)
    assert [one["seed"] for one in done["predictions"]] == [begun["seed"], begun["seed"] + 1]


async def test_style_and_extra_words_are_in_the_prompt(studio: StudioUnderTest) -> None:
    async with studio.gateway.resources.database.write() as session:
        style = Style(
            organization_id=studio.scope.organization_id,
            name="Dusk",
            lighting="golden hour light",
            negative_prompt="harsh shadows",
        )
        session.add(style)
        await session.flush()
    await studio.change_look(style_id=style.id, outfit_instructions="white sneakers")
    begun = await studio.post(f"/shots/{studio.shot_ids[0]}/generate", negative_prompt="blurry")
    assert "golden hour light" in begun["prompt"]
    assert "white sneakers" in begun["prompt"]
    assert begun["negative_prompt"] == "harsh shadows, blurry"


async def test_a_failed_generation_gives_its_credits_back(studio: StudioUnderTest) -> None:
    async def refuses(request: GenerationRequest) -> AsyncIterator[ModelEvent]:
        yield Started()
        raise InvalidInput("no such colour")

    url = f"/shots/{studio.shot_ids[0]}/generate"
    begun = await studio.post(url, num_predictions=4)
    before = await credits_left(studio)
    async with studio.running(generation=refuses):
        failed = await studio.ended(begun["id"])
    assert failed["status"] == "failed"
    assert failed["error"].startswith("Invalid input")
    assert failed["credits_charged"] == 0
    assert await credits_left(studio) == before + 4
    assert (await studio.shot()).status == "pending"
    # And it may be tried again.
    async with studio.running():
        assert (await studio.ended((await studio.post(url))["id"]))["status"] == "completed"


async def test_cancelling(studio: StudioUnderTest) -> None:
    begun = await studio.post(f"/shots/{studio.shot_ids[0]}/generate", num_predictions=3)
    before = await credits_left(studio)
    cancelled = await studio.post(f"/generations/{begun['id']}/cancel", 200)
    assert cancelled["status"] == "cancelled"
    assert await credits_left(studio) == before + 3
    assert (await studio.shot()).status == "pending"
    again = await studio.post(f"/generations/{begun['id']}/cancel", 200)
    assert again["completed_at"] == cancelled["completed_at"]
    assert await credits_left(studio) == before + 3
    async with studio.gateway.resources.database.read() as session:
        statuses = (await session.scalars(select(Task.status))).all()
    assert set(statuses) == {"cancelled"}


async def test_a_task_that_somebody_else_cancels_is_caught_up_with(
    studio: StudioUnderTest,
) -> None:
    begun = await studio.post(f"/shots/{studio.shot_ids[0]}/generate")
    database = studio.gateway.resources.database
    async with database.read() as session:
        task_id = await session.scalar(select(GenerationStep.task_id))
    assert task_id is not None
    async with database.write() as session:
        await TaskQueue(session).cancel(studio.scope, task_id)
    assert (await studio.get(f"/generations/{begun['id']}"))["status"] in {"pending", "running"}
    async with studio.running():
        ended = await studio.ended(begun["id"])
    assert ended["status"] == "cancelled"


async def test_what_was_settled_before_a_crash_is_projected_at_the_next_start(
    studio: StudioUnderTest,
) -> None:
    """A task settled by a runner that told nobody, as one from before an upgrade."""
    begun = await studio.post(f"/shots/{studio.shot_ids[0]}/generate")
    async with studio.running() as runner:
        runner._observers = runner._settlements._observers = ()
        async with asyncio.timeout(20):
            while True:
                async with studio.gateway.resources.database.read() as session:
                    if await session.scalar(select(Task.status)) == "completed":
                        break
                await asyncio.sleep(0.02)
    assert (await studio.get(f"/generations/{begun['id']}"))["predictions"] == []
    async with studio.running():
        ended = await studio.ended(begun["id"])
    assert len(ended["predictions"]) == 1
    async with studio.gateway.resources.database.read() as session:
        charged = await session.scalar(select(func.count()).select_from(CreditEntry))
    assert charged == 2  # the grant and the charge


async def test_an_outcome_that_cannot_be_drawn_in_stops_nobody(studio: StudioUnderTest) -> None:
    """The generation's recipe is damaged: its task ends all the same, and others' do."""
    damaged = await studio.post(f"/shots/{studio.shot_ids[0]}/generate")
    database = studio.gateway.resources.database
    async with database.write() as session:
        row = await session.get_one(Generation, UUID(damaged["id"]))
        kept, row.recipe = row.recipe, {}
    async with studio.running() as runner:
        healthy = await studio.post(f"/shots/{studio.shot_ids[1]}/generate")
        assert (await studio.ended(healthy["id"]))["status"] == "completed"
        async with database.read() as session:
            statuses = (await session.scalars(select(Task.status))).all()
        assert set(statuses) == {"completed"}
        # It has been tried again meanwhile.
        await asyncio.sleep(0.3)
        runner.check()
        async with database.write() as session:
            (await session.get_one(Generation, UUID(damaged["id"]))).recipe = kept
        mended = await studio.ended(damaged["id"])
    assert (mended["status"], len(mended["predictions"])) == ("completed", 1)


async def test_agentic_generation_keeps_the_best(studio: StudioUnderTest) -> None:
    """The colour is right from the second attempt on, when guidance by the picture is higher."""
    from tests.fixtures.models import draws

    async def learns(request: GenerationRequest) -> AsyncIterator[ModelEvent]:
        from dataclasses import replace

        good = request.image_guidance_scale > 1.5
        image = request.image if good else np.full((9, 9, 3), (10, 200, 30), np.uint8)
        async for event in draws(replace(request, image=image)):
            yield event

    begun = await studio.post(
        f"/shots/{studio.shot_ids[0]}/generate",
        num_predictions=2,
        generation_type="agentic",
        min_confidence_score=0.5,
        seed=1,
    )
    assert begun["credits_charged"] == 6
    before = await credits_left(studio)
    async with studio.running(generation=learns):
        done = await studio.ended(begun["id"])
    assert done["status"] == "completed", done["error"]
    assert done["attempt"] == 2
    assert all(one["scores"]["confidence"] >= 0.5 for one in done["predictions"])
    assert {one["seed"] for one in done["predictions"]} == {3, 4}
    assert await credits_left(studio) == before + 2


async def test_a_rejected_shot_begins_its_next_revision(studio: StudioUnderTest) -> None:
    url = f"/shots/{studio.shot_ids[0]}"
    async with studio.running():
        begun = await studio.post(f"{url}/generate")
        await studio.ended(begun["id"], "completed")
        await studio.post(f"{url}/reject", 200, reason="too dark")
        again = await studio.post(f"{url}/generate")
        await studio.ended(again["id"], "completed")
    shot = await studio.get(url)
    assert (shot["status"], shot["revision"], again["revision"]) == ("review", 2, 2)
    assert [one["status"] for one in shot["revisions"]] == ["rejected", "review"]
    assert shot["revisions"][0]["reason"] == "too dark"


async def test_two_at_once_begin_one(studio: StudioUnderTest) -> None:
    url = f"/shots/{studio.shot_ids[0]}/generate"
    answers = await asyncio.gather(*(studio.client.post(url, json={}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_a_shooting_as_a_whole(studio: StudioUnderTest) -> None:
    url = f"/shootings/{studio.shooting_id}/generate"
    await studio.post(f"/shots/{studio.shot_ids[0]}/generate")
    answer = await studio.post(url, num_predictions=1)
    assert [one["shot_id"] for one in answer["generations"]] == [str(studio.shot_ids[1])]
    assert [one["shot_id"] for one in answer["skipped"]] == [str(studio.shot_ids[0])]


async def test_without_credits_nothing_is_begun(studio: StudioUnderTest) -> None:
    async with studio.gateway.resources.database.write() as session:
        await session.execute(select(1))
    await studio.post(f"/shots/{studio.shot_ids[1]}/generate")
    async with studio.gateway.resources.database.write() as session:
        subscription = (await session.scalars(select(Subscription))).one()
        subscription.credits_remaining = 1
    refused = await studio.client.post(
        f"/shots/{studio.shot_ids[0]}/generate", json={"num_predictions": 2}
    )
    assert refused.status_code == 402
    assert refused.json()["detail"] == "Not enough credits: 2 needed, 1 left"
    assert (await studio.shot()).status == "pending"
    async with studio.gateway.resources.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Generation)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"num_predictions": 0}, "num_predictions"),
        ({"num_predictions": 17}, "num_predictions"),
        ({"model_id": "dall-e"}, "model_id"),
        ({"steps": 1000}, "steps"),
        ({"seed": -1}, "seed"),
        ({"generation_type": "magic"}, "generation_type"),
    ],
)
async def test_refusals(studio: StudioUnderTest, body: dict[str, object], field: str) -> None:
    response: httpx.Response = await studio.client.post(
        f"/shots/{studio.shot_ids[0]}/generate", json=body
    )
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", field]


async def test_lists(studio: StudioUnderTest) -> None:
    for shot_id in studio.shot_ids:
        await studio.post(f"/shots/{shot_id}/generate")
    page = await studio.get("/generations/", shot_id=str(studio.shot_ids[0]), status="pending")
    assert [one["shot_id"] for one in page["items"]] == [str(studio.shot_ids[0])]
    assert (await studio.get("/generations/", status="running"))["total"] == 0
    assert (await studio.get("/generations/", q="summer"))["total"] == 2
    assert (await studio.get("/generations/", q="winter"))["total"] == 0
