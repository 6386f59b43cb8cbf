"""Pictures of products: added, shown, shared, removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from PIL import Image

from db.models import Product, Role
from db.repositories import OrganizationScope
from tests.backend.conftest import As
from tests.factories.organizations import make_scope
from tests.factories.pictures import UNUSABLE, picture
from tests.factories.products import make_product
from tests.fixtures.api import Gateway


@pytest.fixture
async def product(gateway: Gateway, organization_id: UUID) -> Product:
    return await make_product(gateway.resources.database, OrganizationScope(organization_id))


@pytest.fixture
async def editor(acting: As, organization_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    async with acting({organization_id: Role.EDITOR}) as editor:
        yield editor


async def add(
    client: httpx.AsyncClient, product: Product, data: bytes, **fields: str
) -> httpx.Response:
    return await client.post(f"/products/{product.id}/images", files={"file": data}, data=fields)


async def objects(gateway: Gateway, organization_id: UUID) -> set[str]:
    store = gateway.resources.store
    return {one.path async for one in store.list(f"media/{organization_id.hex}")}


async def test_a_picture_is_described_and_fetched_without_a_header(
    editor: httpx.AsyncClient, product: Product, anonymous: httpx.AsyncClient
) -> None:
    data = picture(1200, 900)
    added = await add(editor, product, data, type="back")
    assert added.status_code == 201
    image = added.json()
    assert (image["type"], image["width"], image["height"]) == ("back", 1200, 900)
    assert (image["content_type"], image["size"]) == ("image/png", len(data))
    fetched = await anonymous.get(image["url"])
    assert (fetched.content, fetched.headers["content-type"]) == (data, "image/png")
    thumbnail = await anonymous.get(image["thumbnail_url"])
    assert thumbnail.headers["content-type"] == "image/webp"
    assert Image.open(BytesIO(thumbnail.content)).size == (512, 384)
    shown = (await editor.get(f"/products/{product.id}")).json()
    assert shown["images"] == [image]
    assert shown["cover_url"] == image["url"]


async def test_a_new_primary_picture_replaces_the_cover(
    editor: httpx.AsyncClient, product: Product
) -> None:
    front = (await add(editor, product, picture())).json()
    detail = (await add(editor, product, picture(), type="detail")).json()
    assert (front["type"], detail["type"]) == ("primary", "detail")
    url = f"/products/{product.id}"
    assert (await editor.get(url)).json()["cover_url"] == front["url"]
    newer = (await add(editor, product, picture(), type="primary")).json()

    async def types() -> list[str]:
        return [one["type"] for one in (await editor.get(url)).json()["images"]]

    assert await types() == ["other", "detail", "primary"]
    assert (await editor.get(url)).json()["cover_url"] == newer["url"]
    changed = await editor.patch(f"{url}/images/{detail['id']}", json={"type": "primary"})
    assert (changed.status_code, changed.json()["type"]) == (200, "primary")
    assert await types() == ["other", "primary", "other"]
    await editor.patch(f"{url}/images/{detail['id']}", json={"type": "primary"})
    assert await types() == ["other", "primary", "other"]
    moved = await editor.patch(f"{url}/images/{detail['id']}", json={"position": 9})
    assert moved.json()["position"] == 9
    assert await types() == ["other", "other", "primary"]


async def test_at_the_same_time_one_becomes_the_cover(
    editor: httpx.AsyncClient, product: Product
) -> None:
    added = await asyncio.gather(*(add(editor, product, picture()) for _ in range(6)))
    assert {one.status_code for one in added} == {201}
    images = (await editor.get(f"/products/{product.id}")).json()["images"]
    assert sorted(one["type"] for one in images) == ["other"] * 5 + ["primary"]
    assert sorted(one["position"] for one in images) == list(range(6))


async def test_the_same_picture_twice_is_a_conflict(
    editor: httpx.AsyncClient, product: Product
) -> None:
    data = picture()
    assert (await add(editor, product, data)).status_code == 201
    twin = await add(editor, product, data, type="detail")
    assert (twin.status_code, twin.json()) == (
        409,
        {"detail": "This product has this picture already"},
    )


async def test_a_request_sent_again_adds_one(editor: httpx.AsyncClient, product: Product) -> None:
    data, url = picture(), f"/products/{product.id}/images"
    headers = {"Idempotency-Key": uuid4().hex}
    first, second = [
        await editor.post(url, files={"file": data}, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, first.json()) == (second.status_code, second.json()) != (409, None)
    assert second.headers["Idempotency-Replayed"] == "true"
    other = await editor.post(url, files={"file": picture()}, headers=headers)
    assert other.status_code == 409


async def test_a_file_is_stored_once_and_goes_with_its_last_use(
    editor: httpx.AsyncClient, product: Product, gateway: Gateway, organization_id: UUID
) -> None:
    other = await make_product(gateway.resources.database, OrganizationScope(organization_id))
    data = picture()
    first, second = await asyncio.gather(add(editor, product, data), add(editor, other, data))
    path = httpx.URL(first.json()["url"]).path
    assert httpx.URL(second.json()["url"]).path == path
    assert len(await objects(gateway, organization_id)) == 2
    removed = await editor.delete(f"/products/{product.id}/images/{first.json()['id']}")
    assert removed.status_code == 204
    assert len(await objects(gateway, organization_id)) == 2
    assert (await editor.get(first.json()["url"])).status_code == 200
    assert (await editor.delete(f"/products/{other.id}")).status_code == 204
    assert await objects(gateway, organization_id) == set()


@pytest.mark.parametrize("name", sorted(UNUSABLE))
async def test_a_refused_upload_leaves_nothing(
    editor: httpx.AsyncClient,
    product: Product,
    gateway: Gateway,
    organization_id: UUID,
    name: str,
) -> None:
    refused = await add(editor, product, UNUSABLE[name])
    assert refused.status_code in {413, 415, 422}, refused.text
    if refused.status_code == 422:
        assert refused.json()["detail"][0]["loc"] == ["body", "file"]
    assert await objects(gateway, organization_id) == set()


async def test_a_picture_for_no_product_leaves_nothing(
    editor: httpx.AsyncClient, gateway: Gateway, organization_id: UUID
) -> None:
    database = gateway.resources.database
    theirs = await make_product(database, await make_scope(database))
    refused = await add(editor, theirs, picture())
    assert (refused.status_code, refused.json()) == (404, {"detail": "Product not found"})
    assert await objects(gateway, organization_id) == set()


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["file"]),
        ({"files": {"file": b""}, "data": {"type": "front"}}, ["type"]),
        ({"files": {"file": picture()}, "data": {"upload_key": "temp/a/b.png"}}, ["file"]),
        ({"json": {}}, ["upload_key"]),
        ({"json": {"upload_key": "a", "type": "front"}}, ["type"]),
        ({"json": {"upload_key": "a", "kind": "back"}}, ["kind"]),
        ({"json": [1]}, []),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, []),
        ({"content": b"\xff", "headers": {"Content-Type": "application/json"}}, []),
    ],
)
async def test_refusals_name_the_field(
    editor: httpx.AsyncClient, product: Product, body: dict[str, Any], loc: list[str]
) -> None:
    refused = await editor.post(f"/products/{product.id}/images", **body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["detail"][0]["loc"] == ["body", *loc]


async def test_pictures_of_others_are_not_found(
    editor: httpx.AsyncClient, product: Product, gateway: Gateway, organization_id: UUID
) -> None:
    image = (await add(editor, product, picture())).json()
    other = await make_product(gateway.resources.database, OrganizationScope(organization_id))
    url = f"/products/{other.id}/images/{image['id']}"
    for response in (await editor.patch(url, json={"type": "back"}), await editor.delete(url)):
        assert (response.status_code, response.json()) == (404, {"detail": "Image not found"})


async def test_a_picture_is_a_new_version_of_its_product(
    editor: httpx.AsyncClient, product: Product
) -> None:
    url = f"/products/{product.id}"
    first = (await editor.get(url)).headers["etag"]
    image = (await add(editor, product, picture())).json()
    second = (await editor.get(url, headers={"If-None-Match": first})).headers["etag"]
    assert second != first
    image_url = f"{url}/images/{image['id']}"
    stale = await editor.patch(image_url, json={"type": "back"}, headers={"If-Match": first})
    assert stale.status_code == 412
    good = await editor.patch(image_url, json={"type": "back"}, headers={"If-Match": second})
    assert good.status_code == 200
    assert good.headers["etag"] != second


async def test_an_organization_that_goes_takes_its_objects(
    acting: As, editor: httpx.AsyncClient, product: Product, gateway: Gateway, organization_id: UUID
) -> None:
    assert (await add(editor, product, picture())).status_code == 201
    assert await objects(gateway, organization_id)
    store = gateway.resources.store
    others = [f"{folder}/{organization_id.hex}/a.zip" for folder in ("temp", "exports")]
    for path in others:
        await store.put(path, b"x")
    async with acting(superuser=True) as superuser:
        gone = await superuser.delete(f"/organizations/{organization_id}")
    assert gone.status_code == 204, gone.text
    assert await objects(gateway, organization_id) == set()
    assert not any([await store.exists(path) for path in others])
