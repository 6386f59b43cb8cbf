"""Subjects and products are trained from their own pictures, and used with what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from db.models import Role
from db.repositories import OrganizationScope
from serve_app.core.training.words import adapter_name, trigger_word
from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE
from tests.factories.organizations import make_organization
from tests.factories.pictures import picture
from tests.factories.users import make_token, make_user
from tests.fixtures.api import Gateway
from tests.fixtures.trainers import LocalTrainer, training_runner, weights_of
from training.contracts import Diverged

SHORT = {"config": {"steps": 6, "checkpoint_every": 2, "sample_every": 3, "batch_size": 1}}


@dataclass(frozen=True, slots=True)
class Studio:
    """An editor's client of the Backend, and of the Compute API."""

    gateway: Gateway
    scope: OrganizationScope
    client: httpx.AsyncClient
    compute: httpx.AsyncClient

    async def make(self, kind: str = "subjects", pictures: int = 4, **fields: Any) -> str:
        """A subject or a product with pictures; its URL."""
        known = {"sku": uuid4().hex} if kind == "products" else {"gender": "female", "hair": "red"}
        made = await self.client.post(f"/{kind}/", json={"name": "Mira", **known, **fields})
        assert made.status_code == 201, made.text
        url = f"/{kind}/{made.json()['id']}"
        for _ in range(pictures):
            await self.add_picture(url)
        return url

    async def add_picture(self, url: str, **fields: str) -> dict[str, Any]:
        added = await self.client.post(
            f"{url}/images", files={"file": ("a.png", picture())}, data=fields
        )
        assert added.status_code == 201, added.text
        found: dict[str, Any] = added.json()
        return found

    async def get(self, url: str) -> dict[str, Any]:
        found = await self.client.get(url)
        assert found.status_code == 200, found.text
        shown: dict[str, Any] = found.json()
        return shown

    async def ended(self, url: str) -> dict[str, Any]:
        """Its training, when it has ended."""
        async with asyncio.timeout(20):
            while (training := (await self.get(url))["training"])["completed_at"] is None:
                await asyncio.sleep(0.02)
        ended: dict[str, Any] = training
        return ended


@pytest.fixture
async def studio(own_gateway: Gateway) -> AsyncIterator[Studio]:
    organization = await make_organization(own_gateway.resources.database)
    editor = await make_user(
        own_gateway.resources.database, memberships={organization.id: Role.EDITOR}
    )
    token = await make_token(own_gateway.resources, editor)
    async with (
        own_gateway.client(token, BACKEND_BASE) as client,
        own_gateway.client(token, COMPUTE_BASE) as compute,
    ):
        yield Studio(own_gateway, OrganizationScope(organization.id), client, compute)


async def test_a_subject_is_trained_and_keeps_the_result(studio: Studio) -> None:
    subject = await studio.make(age_class="young", eye_color="green", pictures=3)
    shot_types = (await studio.get("/shot-types/?q=back"))["items"]
    await studio.add_picture(subject, shot_type_id=shot_types[0]["id"])
    trainer = LocalTrainer()
    async with training_runner(studio.gateway.resources, trainer):
        begun = await studio.client.post(f"{subject}/train", json=SHORT)
        assert begun.status_code == 201, begun.text
        assert begun.json()["status"] == "pending"
        done = await studio.ended(subject)
    assert (done["status"], done["progress"], done["error"]) == ("completed", 1.0, None)
    assert done["id"] == begun.json()["id"]
    assert done["metrics"]["current_step"] == 6
    (request,) = trainer.requests
    phrase = "a young woman with red hair and green eyes"
    captions = [one.caption for one in request.examples]
    assert captions == [phrase] * 3 + [f"{phrase}, {shot_types[0]['prompt']}"]
    subject_id = UUID(subject.rpartition("/")[2])
    assert request.config.trigger_word == trigger_word("Mira", subject_id)
    assert request.config.sample_prompts[0].startswith(f"{request.config.trigger_word}, {phrase}")
    assert done["trigger_word"] == request.config.trigger_word
    assert done["lora"]["name"] == adapter_name("Mira", subject_id)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(studio.gateway.app)) as anybody:
        assert (await anybody.get(done["lora"]["url"])).content == weights_of(request)
    assert (await studio.get(subject))["lora_id"] == done["lora"]["id"]
    compute = (await studio.compute.get(f"/training/{done['id']}")).json()
    assert (compute["dataset"]["url"], compute["dataset"]["images"]) == (None, 4)


async def test_a_second_training_makes_the_next_version(studio: Studio) -> None:
    subject = await studio.make()
    async with training_runner(studio.gateway.resources, LocalTrainer()):
        versions, ids = [], []
        for _ in range(2):
            await studio.client.post(f"{subject}/train", json=SHORT)
            versions.append((await studio.ended(subject))["lora"]["version"])
            ids.append((await studio.get(subject))["lora_id"])
    assert versions == [1, 2]
    assert len(set(ids)) == 2


async def test_a_product_is_trained(studio: Studio) -> None:
    product = await studio.make("products", 3, name="Summer Dress", color="red")
    await studio.add_picture(product, type="back")
    trainer = LocalTrainer()
    async with training_runner(studio.gateway.resources, trainer):
        begun = await studio.client.post(f"{product}/train", json=SHORT)
        assert begun.status_code == 201, begun.text
        done = await studio.ended(product)
    (request,) = trainer.requests
    assert request.config.entity_type == "product"
    assert [one.caption for one in request.examples][2:] == [
        "a red summer dress",
        "a red summer dress, back view",
    ]
    assert (await studio.get(product))["lora_id"] == done["lora"]["id"]


async def test_values_of_its_own(studio: Studio) -> None:
    subject = await studio.make()
    config = {"steps": 2, "trigger_word": "the mira", "captioning": "none", "rank": 4}
    body = {"base_model": "atelier-tiny", "output_name": "mira-v1", "config": config}
    trainer = LocalTrainer()
    async with training_runner(studio.gateway.resources, trainer):
        await studio.client.post(f"{subject}/train", json=body)
        done = await studio.ended(subject)
    assert (done["lora"]["name"], done["lora"]["rank"]) == ("mira-v1", 4)
    assert trainer.requests[0].config.trigger_word == "the mira"
    assert {one.caption for one in trainer.requests[0].examples} == {"a person"}


async def test_progress_is_seen_on_the_subject_and_in_lists(studio: Studio) -> None:
    subject, other = await studio.make(), await studio.make(name="Jonas", pictures=0)
    trainer = LocalTrainer(hold_at=4)
    async with training_runner(studio.gateway.resources, trainer):
        before = await studio.client.get(subject)
        await studio.client.post(f"{subject}/train", json=SHORT)
        await trainer.held.wait()
        async with asyncio.timeout(10):
            while (shown := (await studio.get(subject))["training"])["progress"] < 0.5:
                await asyncio.sleep(0.02)
        assert (shown["status"], shown["phase"]) == ("running", "train")
        assert (shown["metrics"]["current_step"], shown["metrics"]["total_steps"]) == (3, 6)
        assert shown["metrics"]["loss"] is not None
        listed = (await studio.get("/subjects/"))["items"]
        assert [one["training"] and one["training"]["status"] for one in listed] == [
            None,
            "running",
        ]
        found = (await studio.get("/search/?q=Mira"))["results"]
        assert [one["data"]["training"]["status"] for one in found] == ["running"]
        assert (await studio.get(other))["training"] is None
        # A reader that asks again whether anything is new hears of progress, a writer may go on.
        again = await studio.client.get(subject, headers={"If-None-Match": before.headers["ETag"]})
        assert again.status_code == 200
        changed = await studio.client.patch(
            subject, json={"hair": "black"}, headers={"If-Match": again.headers["ETag"]}
        )
        assert changed.status_code == 200
        assert changed.json()["training"]["status"] == "running"
        same = await studio.client.get(subject, headers={"If-None-Match": changed.headers["ETag"]})
        assert same.status_code == 304
        trainer.release()
        await studio.ended(subject)
        over = await studio.client.get(subject, headers={"If-None-Match": changed.headers["ETag"]})
        assert over.status_code == 200


async def test_one_training_at_a_time(studio: Studio) -> None:
    subject = await studio.make()
    answers = await asyncio.gather(
        *(studio.client.post(f"{subject}/train", json=SHORT) for _ in range(3))
    )
    assert sorted(one.status_code for one in answers) == [201, 409, 409]
    refused = next(one for one in answers if one.status_code == 409)
    assert refused.json()["detail"].startswith("This is being trained")
    training = (await studio.get(subject))["training"]
    await studio.compute.post(f"/training/{training['id']}/cancel")
    assert (await studio.get(subject))["training"]["status"] == "cancelled"
    assert (await studio.client.post(f"{subject}/train", json=SHORT)).status_code == 201


async def test_a_failed_training_says_why_and_keeps_what_was_there(studio: Studio) -> None:
    subject = await studio.make()
    trainer = LocalTrainer()
    async with training_runner(studio.gateway.resources, trainer):
        await studio.client.post(f"{subject}/train", json=SHORT)
        kept = (await studio.ended(subject))["lora"]["id"]
        trainer.harm = {3: [Diverged("the loss of step 3 is nan: try a smaller learning rate")]}
        await studio.client.post(f"{subject}/train", json=SHORT)
        failed = await studio.ended(subject)
    assert (failed["status"], failed["error_code"]) == ("failed", "diverged")
    assert "smaller learning rate" in failed["error"]
    assert failed["lora"] is None
    assert (await studio.get(subject))["lora_id"] == kept


async def test_too_few_pictures(studio: Studio) -> None:
    subject = await studio.make(pictures=3)
    refused = await studio.client.post(f"{subject}/train", json={})
    assert refused.status_code == 409
    assert refused.json()["detail"] == (
        "There are 3 pictures of Mira to learn from; at least 4 are needed"
    )


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"base_model": "sd-xl-base"}, ["body", "base_model"]),
        ({"base_model": "none such"}, ["body", "base_model"]),
        ({"output_name": "a b"}, ["body", "output_name"]),
        ({"config": {"steps": 0}}, ["body", "config", "steps"]),
        ({"config": {"steps": 2, "epochs": 2}}, ["body", "config"]),
        ({"config": {"resolution": 512}}, ["body", "config", "resolution"]),
        ({"config": {"captioning": "captions"}}, ["body", "config", "captioning"]),
        ({"config": {"trigger_word": "a, b"}}, ["body", "config", "trigger_word"]),
        ({"unknown": 1}, ["body", "unknown"]),
    ],
)
async def test_bad_requests(studio: Studio, body: dict[str, Any], loc: list[str]) -> None:
    subject = await studio.make()
    refused = await studio.client.post(f"{subject}/train", json=body)
    assert refused.status_code == 422, refused.text
    assert [one["loc"] for one in refused.json()["detail"]] == [loc]
    assert (await studio.get(subject))["training"] is None


async def test_pictures_stay_until_the_training_ends(studio: Studio) -> None:
    subject = await studio.make()
    trainer = LocalTrainer(hold_at=4)
    store = studio.gateway.resources.store

    async def stored() -> int:
        return len([one async for one in store.list("media") if "thumbnail" not in one.path])

    async with training_runner(studio.gateway.resources, trainer):
        await studio.client.post(f"{subject}/train", json=SHORT)
        await trainer.held.wait()
        (image, *_) = (await studio.get(subject))["images"]
        await studio.client.delete(f"{subject}/images/{image['id']}")
        assert await stored() == 4
        trainer.release()
        await studio.ended(subject)
        async with asyncio.timeout(10):
            while await stored() != 3:
                await asyncio.sleep(0.02)


async def test_a_subject_that_is_removed_is_not_trained_any_more(studio: Studio) -> None:
    subject = await studio.make()
    trainer = LocalTrainer(hold_at=2)
    async with training_runner(studio.gateway.resources, trainer):
        training = (await studio.client.post(f"{subject}/train", json=SHORT)).json()
        await trainer.held.wait()
        assert (await studio.client.delete(subject)).status_code == 204
        async with asyncio.timeout(10):
            while trainer.closed == 0:
                await asyncio.sleep(0.02)
    found = (await studio.compute.get(f"/training/{training['id']}")).json()
    assert found["status"] == "cancelled"


def test_trigger_words_are_rare_and_always_the_same() -> None:
    ids = [uuid4() for _ in range(200)]
    words = {trigger_word("Mira", one) for one in ids}
    assert len(words) == 200
    assert all(word.startswith("mir") and word.isalpha() and len(word) == 8 for word in words)
    assert trigger_word("Mira", ids[0]) == trigger_word("Mira", ids[0])
    assert trigger_word("李娜", ids[0]).isalpha()
    assert adapter_name("Mira Öst / 2", ids[0]).startswith("mira-ost-2-")
    assert adapter_name("李娜", ids[0]) == ids[0].hex[-6:]
