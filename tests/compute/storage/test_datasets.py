"""Archives of pictures over HTTP: one refusal for all that is wrong, and nothing left of it."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from tests.factories import datasets
from tests.factories.datasets import archive, dataset, pictures
from tests.fixtures.api import BASE_URL, Tenant


async def upload(tenant: Tenant, data: bytes) -> httpx.Response:
    return await tenant.compute.post("/storage/datasets", files={"file": ("a.zip", data)})


async def objects(tenant: Tenant) -> list[str]:
    folder = f"datasets/{tenant.organization_id.hex}"
    return [found.path async for found in tenant.gateway.resources.store.list(folder)]


async def test_a_dataset_is_described_and_fetched(tenant: Tenant) -> None:
    data = dataset(4, _00="a dress", _02="a coat")
    response = await upload(tenant, data)
    assert response.status_code == 201, response.text
    found, digest = response.json(), hashlib.sha256(data).hexdigest()
    url = found.pop("url")
    assert found == {
        "path": f"datasets/{tenant.organization_id.hex}/{digest[:2]}/{digest}.zip",
        "size": len(data),
        "sha256": digest,
        "images": 4,
        "captions": 2,
        "warnings": ["2 pictures have no caption: 01.png, 03.png"],
    }
    assert url.startswith(f"{BASE_URL}/compute/api/v1/storage/images/{found['path']}?")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(tenant.gateway.app)) as anybody:
        assert (await anybody.get(url)).content == data


async def test_the_same_archive_is_one_object(tenant: Tenant, other: Tenant) -> None:
    data = dataset()
    first, again = [(await upload(tenant, data)).json() for _ in range(2)]
    assert {**first, "url": ""} == {**again, "url": ""}
    assert len(await objects(tenant)) == 2, "the archive, and what is known of it"
    assert (await upload(other, data)).json()["path"] != first["path"]


async def test_each_unusable_file_is_named(tenant: Tenant) -> None:
    files = {**pictures(3), "b.gif": b"GIF89a", "../c.png": b"x"}
    response = await upload(tenant, archive(files))
    assert response.status_code == 422
    listed = {tuple(one["loc"]): one["msg"] for one in response.json()["detail"]}
    assert listed == {
        ("body", "file", "../c.png"): "its name leads out of the archive",
        ("body", "file", "b.gif"): (
            "this is no picture in JPEG, PNG, WebP or AVIF; convert it to one"
        ),
        ("body", "file"): "it has 3 of 4 pictures that can be used; at least 4 are needed",
    }
    assert {one["type"] for one in response.json()["detail"]} == {"unusable_dataset"}
    assert await objects(tenant) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        archive(pictures(2)),
        datasets.bomb(),
        datasets.encrypted(pictures()),
        datasets.overlapping(pictures()),
        datasets.with_link(pictures()),
    ],
)
async def test_what_is_refused_leaves_nothing(tenant: Tenant, data: bytes) -> None:
    response = await upload(tenant, data)
    assert response.status_code == 422, response.text
    assert all(one["loc"][:2] == ["body", "file"] for one in response.json()["detail"])
    assert await objects(tenant) == []


async def test_a_list_of_refusals_is_bounded(tenant: Tenant) -> None:
    names = {f"{number:04}.txt": "no picture" for number in range(300)}
    detail = (await upload(tenant, archive({**pictures(), **names}))).json()["detail"]
    assert len(detail) == 201
    assert detail[-1] == {
        "loc": ["body", "file"],
        "msg": "and 100 more",
        "type": "unusable_dataset",
    }


async def test_datasets_may_be_larger_than_pictures(tenant: Tenant) -> None:
    settings = tenant.gateway.settings
    large = {**pictures(), "large.png": noise(1_200_000)}
    data = archive(large)
    assert settings.media.max_upload_bytes < len(data) < settings.datasets.max_bytes
    response = await upload(tenant, data)
    # The limit on each picture is that of all pictures.
    (error,) = response.json()["detail"]
    assert (response.status_code, error["loc"]) == (422, ["body", "file", "large.png"])
    assert "at most 1,000,000" in error["msg"]


async def test_the_size_of_the_archive_is_bounded(tenant: Tenant) -> None:
    body = bytes(tenant.gateway.settings.datasets.max_bytes + 1)
    response = await upload(tenant, archive(pictures()) + body)
    assert response.status_code == 413, response.text
    assert await objects(tenant) == []


def noise(size: int) -> bytes:
    return hashlib.shake_256(b"noise").digest(size)
