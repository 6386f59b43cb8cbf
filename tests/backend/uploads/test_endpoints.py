"""Uploads straight into storage, in a local folder and on an S3 server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from db.models import Role
from db.repositories import OrganizationScope
from serve_app.core.uploads import sweep_uploads
from serve_app.gateway import BACKEND_BASE
from tests.factories.organizations import make_scope
from tests.factories.pictures import picture
from tests.factories.products import make_product
from tests.factories.subjects import make_subject
from tests.factories.users import make_token, make_user
from tests.fixtures.api import Gateway


@dataclass(frozen=True, slots=True)
class Studio:
    """An editor of an organization, and what may be reached without a token."""

    gateway: Gateway
    scope: OrganizationScope
    editor: httpx.AsyncClient
    # Of the platform for its own URLs, of the network for those of an S3 server.
    storage: httpx.AsyncClient

    async def presign(self, **changes: Any) -> httpx.Response:
        body = {"filename": "a.png", "content_type": "image/png", "size": 1000} | changes
        return await self.editor.post("/uploads/presigned-url", json=body)

    async def put(self, data: bytes) -> dict[str, Any]:
        upload: dict[str, Any] = (await self.presign()).json()
        sent = await self.storage.request(
            upload["method"], upload["upload_url"], content=data, headers=upload["headers"]
        )
        assert sent.status_code == 200, sent.text
        return upload

    async def objects(self, folder: str) -> list[str]:
        store = self.gateway.resources.store
        path = f"{folder}/{self.scope.organization_id.hex}"
        return [one.path async for one in store.list(path)]


@asynccontextmanager
async def a_studio(gateway: Gateway, storage: httpx.AsyncClient) -> AsyncIterator[Studio]:
    database = gateway.resources.database
    scope = await make_scope(database)
    user = await make_user(database, memberships={scope.organization_id: Role.EDITOR})
    token = await make_token(gateway.resources, user)
    async with gateway.client(token, BACKEND_BASE) as editor:
        yield Studio(gateway, scope, editor, storage)


@pytest.fixture
async def local(gateway: Gateway) -> AsyncIterator[Studio]:
    async with gateway.client(None) as storage, a_studio(gateway, storage) as studio:
        yield studio


@pytest.fixture
async def s3(s3_gateway: Gateway) -> AsyncIterator[Studio]:
    async with (
        httpx.AsyncClient(trust_env=False) as storage,
        a_studio(s3_gateway, storage) as studio,
    ):
        yield studio


@pytest.fixture(params=["local", "s3"])
def studio(request: pytest.FixtureRequest) -> Studio:
    studio: Studio = request.getfixturevalue(request.param)
    return studio


async def test_an_upload_becomes_a_picture(studio: Studio) -> None:
    product = await make_product(studio.gateway.resources.database, studio.scope)
    data = picture(300, 400)
    upload = await studio.put(data)
    assert upload["key"].startswith(f"temp/{studio.scope.organization_id.hex}/")
    lifetime = datetime.fromisoformat(upload["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < lifetime <= timedelta(minutes=15)
    assert upload["max_size"] == studio.gateway.settings.media.max_upload_bytes
    url = f"/products/{product.id}/images"
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"upload_key": upload["key"], "type": "back"}
    added = await studio.editor.post(url, json=body, headers=headers)
    assert added.status_code == 201, added.text
    assert (added.json()["type"], added.json()["width"]) == ("back", 300)
    assert (await studio.storage.get(added.json()["url"])).content == data
    assert await studio.objects("temp") == []
    # Sent again it is answered again; another use of the key finds nothing.
    again = await studio.editor.post(url, json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, added.json())
    used = await studio.editor.post(url, json=body)
    assert (used.status_code, used.json()) == (404, {"detail": "Upload not found"})


async def test_an_upload_as_a_field_of_a_form(studio: Studio) -> None:
    subject = await make_subject(studio.gateway.resources.database, studio.scope)
    upload = await studio.put(picture())
    added = await studio.editor.post(
        f"/subjects/{subject.id}/images",
        data={"upload_key": upload["key"], "is_cover": "true"},
        files={"unused": b""},
    )
    assert (added.status_code, added.json()["is_cover"]) == (201, True)
    assert await studio.objects("temp") == []


async def test_what_is_no_picture_goes_when_it_is_attached(studio: Studio) -> None:
    product = await make_product(studio.gateway.resources.database, studio.scope)
    upload = await studio.put(b"<html>")
    refused = await studio.editor.post(
        f"/products/{product.id}/images", json={"upload_key": upload["key"]}
    )
    assert refused.status_code == 415
    assert await studio.objects("temp") == await studio.objects("media") == []


async def test_an_upload_for_no_product_stays(studio: Studio) -> None:
    upload = await studio.put(picture())
    refused = await studio.editor.post(
        f"/products/{uuid4()}/images", json={"upload_key": upload["key"]}
    )
    assert refused.status_code == 404
    assert await studio.objects("temp") == [upload["key"]]
    assert await studio.objects("media") == []


async def test_what_nothing_takes_in_a_day_is_removed(studio: Studio) -> None:
    upload = await studio.put(picture())
    store = studio.gateway.resources.store
    now = datetime.now(UTC)
    await sweep_uploads(store, now + timedelta(hours=23))
    assert await studio.objects("temp") == [upload["key"]]
    await sweep_uploads(store, now + timedelta(hours=25))
    assert await studio.objects("temp") == []


async def test_an_upload_of_others_is_not_found(local: Studio) -> None:
    database = local.gateway.resources.database
    async with a_studio(local.gateway, local.storage) as other:
        theirs = await other.put(picture())
    mine = await make_product(database, local.scope)
    image = (
        await local.editor.post(f"/products/{mine.id}/images", files={"file": picture()})
    ).json()
    own = local.scope.organization_id.hex
    for key in (
        theirs["key"],
        f"temp/{own}/{uuid4().hex}.png",
        f"temp/{own}/../{theirs['key'].removeprefix('temp/')}",
        httpx.URL(image["url"]).path.partition("/images/")[2],
        "",
    ):
        refused = await local.editor.post(f"/products/{mine.id}/images", json={"upload_key": key})
        assert (refused.status_code, refused.json()) == (404, {"detail": "Upload not found"})
    assert await other.objects("temp") == [theirs["key"]]


async def test_only_what_was_signed_is_put(local: Studio) -> None:
    upload = (await local.presign()).json()
    url = httpx.URL(upload["upload_url"])
    expired = int(time.time()) - 1
    signer = local.gateway.resources.signer
    read = httpx.URL(
        await local.gateway.resources.store.sign(
            upload["key"], expires_in=60, base_url="http://platform.test"
        )
    )
    for changed in (
        url.copy_with(path=url.path.replace(".png", ".jpg")),
        url.copy_set_param("expires", str(int(url.params["expires"]) + 1)),
        url.copy_set_param("signature", "x"),
        url.copy_merge_params(
            {"expires": expired, "signature": signer.signature(f"PUT\n{upload['key']}", expired)}
        ),
        # To read is another right.
        url.copy_merge_params(dict(read.params)),
    ):
        refused = await local.storage.put(changed, content=picture())
        assert refused.status_code == 403
    unsigned = await local.storage.put(url.copy_with(query=None), content=picture())
    assert unsigned.status_code == 422
    assert (await local.storage.get(read.copy_merge_params(dict(url.params)))).status_code == 401
    assert await local.objects("temp") == []


@pytest.mark.parametrize("declared", [True, False])
async def test_too_many_bytes_are_not_stored(local: Studio, declared: bool) -> None:
    upload = (await local.presign()).json()
    data = bytes(upload["max_size"] + 1)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    refused = await local.storage.put(upload["upload_url"], content=data if declared else chunks())
    assert refused.status_code == 413
    assert await local.objects("temp") == []
    whole = await local.storage.put(upload["upload_url"], content=data[:-1])
    assert whole.status_code == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"size": 0}, "size"),
        ({"size": 10**9}, "size"),
        ({"content_type": "text/html"}, "content_type"),
        ({"filename": ""}, "filename"),
    ],
)
async def test_refusals_name_the_field(local: Studio, changes: dict[str, Any], field: str) -> None:
    refused = await local.presign(**changes)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", field]


async def test_a_large_upload_on_s3_is_refused_when_it_is_attached(s3: Studio) -> None:
    product = await make_product(s3.gateway.resources.database, s3.scope)
    upload = await s3.put(bytes(s3.gateway.settings.media.max_upload_bytes + 1))
    refused = await s3.editor.post(
        f"/products/{product.id}/images", json={"upload_key": upload["key"]}
    )
    assert refused.status_code == 413
    assert await s3.objects("temp") == []
