"""Shots use the LoRAs of what their look shows, by themselves."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import delete

from db.models import Adapter, Look, LookProduct, Product, Style, Subject
from serve_app.core.adapters import pinned
from tests.factories.adapters import store_adapter
from tests.factories.products import make_product
from tests.factories.styles import make_style
from tests.fixtures.studio import StudioUnderTest


async def adapter(studio: StudioUnderTest, name: str, **values: Any) -> Adapter:
    return await store_adapter(
        studio.gateway.resources, studio.scope, name.encode(), name, **values
    )


async def give(studio: StudioUnderTest, model: Any, row_id: UUID, lora: Adapter | None) -> None:
    async with studio.gateway.resources.database.write() as session:
        row = await session.get_one(model, row_id)
        row.lora_id = lora.id if lora else None


async def subject_id(studio: StudioUnderTest) -> UUID:
    async with studio.gateway.resources.database.read() as session:
        return (await session.get_one(Look, studio.look_id)).subject_id


async def generate(studio: StudioUnderTest, **body: Any) -> Any:
    return await studio.post(f"/shots/{studio.shot_ids[0]}/generate", **body)


async def pixels(studio: StudioUnderTest, generation: Any) -> np.ndarray:
    async with studio.gateway.client(None) as anybody:
        response = await anybody.get(generation["predictions"][0]["image_url"])
    return np.asarray(Image.open(BytesIO(response.content)))


@pytest.fixture
async def second(studio: StudioUnderTest) -> Product:
    """The look's second product."""
    product = await make_product(studio.gateway.resources.database, studio.scope, name="Belt")
    third = await make_product(studio.gateway.resources.database, studio.scope, name="Hat")
    async with studio.gateway.resources.database.write() as session:
        for position, one in enumerate((product, third)):
            session.add(
                LookProduct(
                    organization_id=studio.scope.organization_id,
                    look_id=studio.look_id,
                    product_id=one.id,
                    position=position,
                )
            )
    return product


async def test_each_part_of_a_look_brings_its_own(studio: StudioUnderTest, second: Product) -> None:
    style = await make_style(studio.gateway.resources.database, studio.scope)
    await studio.change_look(style_id=style.id)
    mira = await adapter(studio, "mira", trigger_word="mirxkq")
    dress = await adapter(studio, "dress", entity_type="product", trigger_word="drsvvk")
    belt = await adapter(studio, "belt", entity_type="product", trigger_word="bltqqx")
    light = await adapter(studio, "light", entity_type="style", trigger_word="lghtzz")
    for model, row_id, one in (
        (Subject, await subject_id(studio), mira),
        (Product, studio.product_id, dress),
        (Product, second.id, belt),
        (Style, style.id, light),
    ):
        await give(studio, model, row_id, one)
    begun = await generate(studio)
    assert begun["inputs"]["config"]["loras"] == [
        pinned(one, 0.8) for one in (mira, dress, belt, light)
    ]
    assert begun["notes"] == []
    prompt = begun["prompt"]
    assert prompt.startswith("mirxkq, a woman with dark, shoulder length hair wearing drsvvk, ")
    assert "with bltqqx, a belt made of linen and a hat" in prompt
    assert "lghtzz, soft natural light, muted" in prompt
    async with studio.running():
        done = await studio.ended(begun["id"], "completed", "failed")
    assert done["error"] is None
    (request,) = studio.handles["generation"].requests
    assert [(one.name, one.weight, one.data) for one in request.loras] == [
        ("mira@1", 0.8, b"mira"),
        ("dress@1", 0.8, b"dress"),
        ("belt@1", 0.8, b"belt"),
        ("light@1", 0.8, b"light"),
    ]


async def test_reproduced_images_are_made_with_the_version_that_was_used(
    studio: StudioUnderTest,
) -> None:
    subject = await subject_id(studio)
    first = await adapter(studio, "mira", trigger_word="mirxkq")
    await give(studio, Subject, subject, first)
    begun = await generate(studio, num_predictions=2)
    async with studio.running():
        made = await studio.ended(begun["id"], "completed")
        newer = await store_adapter(studio.gateway.resources, studio.scope, b"newer", "mira")
        await give(studio, Subject, subject, newer)
        again = await studio.post(f"/generations/{begun['id']}/reproduce")
        twin = await studio.ended(again["id"], "completed")
        other = await studio.post(
            f"/shots/{studio.shot_ids[1]}/generate", seed=begun["seed"], num_predictions=2
        )
        other = await studio.ended(other["id"], "completed")
    assert again["inputs"]["config"]["loras"] == [pinned(first, 0.8)]
    assert other["inputs"]["config"]["loras"] == [pinned(newer, 0.8)]
    np.testing.assert_array_equal(await pixels(studio, twin), await pixels(studio, made))


async def test_without_the_lora_it_cannot_be_reproduced(studio: StudioUnderTest) -> None:
    mira = await adapter(studio, "mira")
    await give(studio, Subject, await subject_id(studio), mira)
    begun = await generate(studio)
    async with studio.running():
        await studio.ended(begun["id"], "completed")
    await give(studio, Subject, await subject_id(studio), None)
    async with studio.gateway.resources.database.write() as session:
        await session.execute(delete(Adapter).where(Adapter.id == mira.id))
    refused = await studio.client.post(f"/generations/{begun['id']}/reproduce")
    assert refused.status_code == 409
    detail = "The LoRA mira@1 has been deleted: these images cannot be made again"
    assert refused.json() == {"detail": detail}


async def test_one_that_is_deleted_meanwhile_fails_the_generation(
    studio: StudioUnderTest,
) -> None:
    mira = await adapter(studio, "mira")
    await give(studio, Subject, await subject_id(studio), mira)
    begun = await generate(studio)
    await give(studio, Subject, await subject_id(studio), None)
    async with studio.gateway.resources.database.write() as session:
        await session.execute(delete(Adapter).where(Adapter.id == mira.id))
    async with studio.running():
        failed = await studio.ended(begun["id"])
    assert (failed["status"], failed["error_code"]) == ("failed", "lora_deleted")
    assert failed["error"] == "The LoRA 'mira@1' has been deleted"
    assert failed["credits_charged"] == 0


async def test_one_of_another_model_is_left_out_and_said_so(studio: StudioUnderTest) -> None:
    large = await adapter(studio, "mira", base_model="sd-xl-base", trigger_word="mirxkq")
    dress = await adapter(studio, "dress")
    await give(studio, Subject, await subject_id(studio), large)
    await give(studio, Product, studio.product_id, dress)
    begun = await generate(studio)
    assert begun["inputs"]["config"]["loras"] == [pinned(dress, 0.8)]
    assert begun["notes"] == [
        "The LoRA mira@1 of the subject is left out: it was made for sd-xl-base"
    ]
    assert "mirxkq" not in begun["prompt"]
    assert (await studio.get(f"/generations/{begun['id']}"))["notes"] == begun["notes"]


async def test_one_that_two_parts_share_is_applied_once(studio: StudioUnderTest) -> None:
    both = await adapter(studio, "both", trigger_word="red")
    await give(studio, Subject, await subject_id(studio), both)
    await give(studio, Product, studio.product_id, both)
    begun = await generate(studio)
    assert begun["inputs"]["config"]["loras"] == [pinned(both, 0.8)]
    # A word that stands there already is not said again.
    assert "wearing a red summer dress" in begun["prompt"]
