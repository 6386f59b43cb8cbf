"""Requests for trainings: the reference's as it is written, and all that are refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from serve_app.core.storage.signing import UrlSigner
from tests.factories.datasets import archive, dataset, pictures
from tests.fixtures.api import BASE_URL, Gateway, Tenant, a_tenant
from tests.fixtures.web import HOST, Web

# As it stands in the reference, with another host.
REFERENCE = {
    "base_model": "sd-xl-base",
    "output_name": "custom-model-v1",
    "config": {"epochs": 100, "learning_rate": 1e-4, "batch_size": 1},
}


async def post(tenant: Tenant, **body: Any) -> httpx.Response:
    return await tenant.compute.post("/training/", json=body)


async def upload(tenant: Tenant, data: bytes) -> dict[str, Any]:
    stored = await tenant.compute.post("/storage/datasets", files={"file": data})
    found: dict[str, Any] = stored.json()
    return found


async def trainings(tenant: Tenant) -> int:
    total: int = (await tenant.compute.get("/training/")).json()["total"]
    return total


async def refused(response: httpx.Response, *loc: str) -> str:
    """The one reason, which stands where the value does."""
    assert response.status_code == 422, response.text
    (error,) = response.json()["detail"]
    assert error["loc"] == list(loc)
    reason: str = error["msg"]
    return reason


async def test_the_reference_as_written(own_gateway: Gateway, web: Web) -> None:
    url = web.put("/datasets/model-ref.zip", dataset(6))
    object.__setattr__(own_gateway.resources, "gpu", True)
    async with a_tenant(own_gateway) as tenant:
        made = await post(tenant, dataset_url=url, **REFERENCE)
        assert made.status_code == 201, made.text
        found = (await tenant.compute.get(f"/training/{made.json()['id']}")).json()
    assert found["id"].startswith("train_")
    assert (found["status"], found["progress"]) == ("pending", 0.0)
    assert (found["base_model"], found["output_name"]) == ("sd-xl-base", "custom-model-v1")
    assert (found["config"]["steps"], found["config"]["epochs"]) == (600, 100)
    assert (found["config"]["learning_rate"], found["config"]["batch_size"]) == (1e-4, 1)


async def test_a_model_that_needs_a_gpu(tenant: Tenant, web: Web) -> None:
    url = web.put("/never-fetched.zip", b"")
    reason = await refused(await post(tenant, dataset_url=url, **REFERENCE), "body", "base_model")
    assert "needs a GPU, and there is none here" in reason
    assert "/never-fetched.zip" not in web.asked


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"base_model": "none such"}, ("body", "base_model")),
        ({"output_name": ""}, ("body", "output_name")),
        ({"output_name": "a/b"}, ("body", "output_name")),
        ({"output_name": "x@2"}, ("body", "output_name")),
        ({"output_name": "0191b3c4-0000-7000-8000-000000000000"}, ("body", "output_name")),
        ({"dataset_url": 5}, ("body", "dataset_url")),
        ({"priority": 11}, ("body", "priority")),
        ({"config": {"training_type": "full"}}, ("body", "config", "training_type")),
        ({"config": {"entity_type": "person"}}, ("body", "config", "entity_type")),
        ({"config": {"captioning": "fields"}}, ("body", "config", "captioning")),
        ({"config": {"steps": 0}}, ("body", "config", "steps")),
        ({"config": {"steps": 50_001}}, ("body", "config", "steps")),
        ({"config": {"steps": "10"}}, ("body", "config", "steps")),
        ({"config": {"epochs": 0}}, ("body", "config", "epochs")),
        ({"config": {"epochs": 10_000, "batch_size": 1}}, ("body", "config", "epochs")),
        ({"config": {"steps": 1, "epochs": 1}}, ("body", "config")),
        ({"config": {"learning_rate": 0}}, ("body", "config", "learning_rate")),
        ({"config": {"learning_rate": -1e-4}}, ("body", "config", "learning_rate")),
        ({"config": {"batch_size": 0}}, ("body", "config", "batch_size")),
        ({"config": {"batch_size": 2, "accumulation": 3}}, ("body", "config")),
        ({"config": {"rank": 0}}, ("body", "config", "rank")),
        ({"config": {"alpha": 0}}, ("body", "config", "alpha")),
        ({"config": {"resolution": 512}}, ("body", "config", "resolution")),
        ({"config": {"seed": -1}}, ("body", "config", "seed")),
        ({"config": {"seed": 2**32}}, ("body", "config", "seed")),
        ({"config": {"trigger_word": ""}}, ("body", "config", "trigger_word")),
        ({"config": {"trigger_word": "a\0b"}}, ("body", "config", "trigger_word")),
        ({"config": {"validation_split": 0.6}}, ("body", "config", "validation_split")),
        ({"config": {"sample_prompts": [""]}}, ("body", "config", "sample_prompts", "0")),
        ({"config": {"sample_prompts": ["x" * 2001]}}, ("body", "config", "sample_prompts")),
        ({"config": {"sample_prompts": ["x"] * 9}}, ("body", "config", "sample_prompts")),
        ({"config": {"checkpoint_every": 0}}, ("body", "config", "checkpoint_every")),
        ({"config": {"prior_weight": 1.0}}, ("body", "config")),
        ({"config": {"precision": "int8"}}, ("body", "config", "precision")),
        ({"config": {"optimizer": "sgd"}}, ("body", "config", "optimizer")),
        ({"config": []}, ("body", "config")),
        ({"webhook": "x"}, ("body", "webhook")),
    ],
)
async def test_values_that_are_refused(
    tenant: Tenant, changes: dict[str, Any], loc: tuple[str, ...]
) -> None:
    stored = await upload(tenant, dataset(6))
    response = await post(tenant, **{"dataset_url": stored["url"], "output_name": "a"} | changes)
    assert response.status_code == 422, response.text
    assert [str(part) for part in response.json()["detail"][0]["loc"]] == list(loc)
    assert await trainings(tenant) == 0


async def test_a_dataset_that_is_unusable(tenant: Tenant, web: Web) -> None:
    url = web.put("/broken.zip", archive({**pictures(4), "notes.md": "x", "b.txt": "y"}))
    response = await post(tenant, dataset_url=url, output_name="a")
    assert response.status_code == 422
    assert {tuple(one["loc"]) for one in response.json()["detail"]} == {
        ("body", "dataset_url", "notes.md"),
        ("body", "dataset_url", "b.txt"),
    }
    assert await trainings(tenant) == 0
    store = tenant.gateway.resources.store
    assert [one async for one in store.list(f"datasets/{tenant.organization_id.hex}")] == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no url", "must start with http"),
        ("file:///etc/passwd", "must start with http"),
        ("http://127.0.0.1/a.zip", "not a public address"),
        ("http://169.254.169.254/latest", "not a public address"),
        ("http://private.example/a.zip", "not a public address"),
        ("http://nowhere.example/a.zip", "has no address"),
    ],
)
async def test_places_that_are_not_fetched_from(tenant: Tenant, url: str, words: str) -> None:
    reason = await refused(
        await post(tenant, dataset_url=url, output_name="a"), "body", "dataset_url"
    )
    assert reason.startswith("Invalid input: ")
    assert words in reason


async def test_a_dataset_from_elsewhere_may_be_larger_than_a_picture(
    tenant: Tenant, web: Web
) -> None:
    settings = tenant.gateway.settings
    data = dataset(4)
    large = data + bytes(settings.fetch.max_bytes + 1)
    small = web.put("/large.zip", large)
    # It was fetched: what comes behind the archive is what is wrong with it.
    reason = await refused(
        await post(tenant, dataset_url=small, output_name="a"), "body", "dataset_url"
    )
    assert "ZIP" in reason
    too_large = web.put("/too-large.zip", bytes(settings.datasets.max_bytes + 1))
    reason = await refused(
        await post(tenant, dataset_url=too_large, output_name="a"), "body", "dataset_url"
    )
    assert f"{HOST} sent more than 3,000,000 bytes" in reason


async def test_datasets_of_others_are_unknown_even_by_a_signed_url(
    tenant: Tenant, other: Tenant
) -> None:
    stored = await upload(other, dataset(5))
    for url in (stored["url"], stored["url"].partition("?")[0]):
        reason = await refused(
            await post(tenant, dataset_url=url, output_name="a"), "body", "dataset_url"
        )
        assert reason == "Invalid input: there is no such dataset in storage"


async def test_datasets_that_are_not_there(tenant: Tenant) -> None:
    signer = UrlSigner(tenant.gateway.settings.secret_key.get_secret_value())
    path = f"datasets/{tenant.organization_id.hex}/ab/absent.zip"
    url = signer.sign(path, expires_in=60, base_url=BASE_URL)
    reason = await refused(
        await post(tenant, dataset_url=url, output_name="a"), "body", "dataset_url"
    )
    assert "no such dataset" in reason


async def test_a_picture_is_no_dataset(tenant: Tenant) -> None:
    image = await tenant.compute.post(
        "/storage/images", files={"file": next(iter(pictures(1).values()))}
    )
    reason = await refused(
        await post(tenant, dataset_url=image.json()["url"], output_name="a"), "body", "dataset_url"
    )
    assert "not a ZIP" in reason


@pytest.mark.parametrize("route", ["", "/metrics", "/plot"])
async def test_other_tasks_are_no_trainings(tenant: Tenant, route: str) -> None:
    task = await tenant.compute.post("/tasks/generation", json={"prompt": "a dress"})
    response = await tenant.compute.get(f"/training/{task.json()['id']}{route}")
    assert (response.status_code, response.json()) == (404, {"detail": "Training not found"})
