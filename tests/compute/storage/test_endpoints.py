from __future__ import annotations

import hashlib
import time

import httpx
import pytest

from serve_app.core.storage.signing import UrlSigner
from tests.factories.pictures import picture
from tests.fixtures.api import BASE_URL, Gateway, Tenant, a_tenant


async def upload(tenant: Tenant, data: bytes) -> httpx.Response:
    # Neither the name nor the type that is declared counts.
    return await tenant.compute.post("/storage/images", files={"file": ("../a.exe", data, "x/y")})


def signed(tenant: Tenant, path: str, expires_in: int = 60) -> httpx.URL:
    signer = UrlSigner(tenant.gateway.settings.secret_key.get_secret_value())
    return httpx.URL(signer.sign(path, expires_in=expires_in, base_url=BASE_URL))


@pytest.mark.parametrize(
    ("kind", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("AVIF", "avif")]
)
async def test_an_upload_is_described(tenant: Tenant, kind: str, suffix: str) -> None:
    data = picture(40, 60, kind)
    response = await upload(tenant, data)
    assert response.status_code == 201
    digest = hashlib.sha256(data).hexdigest()
    image = response.json()
    url = image.pop("url")
    assert image == {
        "path": f"images/{tenant.organization_id.hex}/{digest[:2]}/{digest}.{suffix}",
        "content_type": f"image/{kind.lower()}",
        "size": len(data),
        "width": 40,
        "height": 60,
        "sha256": digest,
    }
    assert url.startswith(f"{BASE_URL}/compute/api/v1/storage/images/{image['path']}?")


async def test_the_same_file_is_one_object(tenant: Tenant, other: Tenant) -> None:
    data = picture()
    first, second = [(await upload(tenant, data)).json() for _ in range(2)]
    assert first["path"] == second["path"]
    assert (await tenant.stored())["objects"] == 1
    theirs = (await upload(other, data)).json()
    assert theirs["path"] != first["path"]


async def test_a_picture_is_fetched_by_token_or_by_signature(
    tenant: Tenant, anonymous: httpx.AsyncClient
) -> None:
    data = picture(kind="JPEG")
    image = (await upload(tenant, data)).json()
    for response in (
        await tenant.compute.get(f"/storage/images/{image['path']}"),
        await anonymous.get(image["url"]),
        await tenant.compute.get(image["url"]),
        await anonymous.get(f"{image['url']}&more=1"),
    ):
        assert (response.status_code, response.content) == (200, data)
        assert response.headers["Content-Type"] == "image/jpeg"
        assert response.headers["Content-Length"] == str(len(data))
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"].startswith("private")


async def test_other_signatures_are_refused(
    tenant: Tenant, other: Tenant, anonymous: httpx.AsyncClient
) -> None:
    path = (await upload(tenant, picture())).json()["path"]
    another = (await upload(tenant, picture())).json()["path"]
    good = signed(tenant, path)
    late = int(time.time()) - 1
    old = UrlSigner(tenant.gateway.settings.secret_key.get_secret_value()).signature(path, late)
    foreign = UrlSigner("somebody else's secret").sign(path, expires_in=60, base_url=BASE_URL)
    refused = {
        "tampered": str(good)[:-2] + ("AA" if not str(good).endswith("AA") else "BB"),
        "prolonged": str(good.copy_set_param("expires", int(time.time()) + 9999)),
        "expired": str(good.copy_set_param("expires", late).copy_set_param("signature", old)),
        "of another path": str(good).replace(path, another),
        "of another secret": foreign,
        "without its time": str(good.copy_remove_param("expires")),
        "with a strange time": str(good.copy_set_param("expires", "1e99")),
        "empty": str(good.copy_set_param("signature", "")),
        "not text": str(good).split("signature=")[0] + "signature=%ff%00",
    }
    for what, url in refused.items():
        response = await anonymous.get(url)
        assert response.status_code == 401, what
        assert response.headers["WWW-Authenticate"] == "Bearer"
        # A bad signature opens nothing to another tenant, and takes nothing from the owner.
        assert (await other.compute.get(url)).status_code == 404, what
        assert (await tenant.compute.get(url)).status_code == 200, what
    assert "expired" in (await anonymous.get(refused["expired"])).json()["detail"]
    bare = await anonymous.get(str(good.copy_with(query=None)))
    assert (bare.status_code, bare.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.parametrize(
    "known", ["{etag}", "W/{etag}", '"other", {etag}', '"other" , W/{etag}', "*"]
)
async def test_what_the_client_has_is_not_sent_again(tenant: Tenant, known: str) -> None:
    image = (await upload(tenant, picture())).json()
    url = f"/storage/images/{image['path']}"
    etag = (await tenant.compute.get(url)).headers["ETag"]
    headers = {"If-None-Match": known.format(etag=etag)}
    response = await tenant.compute.get(url, headers=headers)
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["ETag"] == etag
    stale = await tenant.compute.get(url, headers={"If-None-Match": '"other"'})
    assert stale.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fsecrets.json",
        "images/../../secrets.json",
        "%2fetc%2fpasswd",
        "images/{own}/..%2f..%2f..%2fsecrets.json",
        "images/{own}/.put-x",
        "images/{own}/%00",
        "images/{own}",
        "images/{own}/",
        "images/{own}/ab",
        "images/{own}/ab/none.png",
        "",
        "x" * 3000,
    ],
)
async def test_there_is_nothing_beside_the_pictures(tenant: Tenant, path: str) -> None:
    await upload(tenant, picture())
    response = await tenant.compute.get(
        f"/storage/images/{path.format(own=tenant.organization_id.hex)}"
    )
    assert response.status_code in {400, 404, 422}
    assert "detail" in response.json()


async def test_pictures_on_an_s3_server(s3_gateway: Gateway) -> None:
    data = picture()
    async with a_tenant(s3_gateway) as tenant, a_tenant(s3_gateway) as other:
        image = (await upload(tenant, data)).json()
        read = f"/storage/images/{image['path']}"
        response = await tenant.compute.get(read)
        assert (response.status_code, response.content) == (200, data)
        assert response.headers["Content-Type"] == "image/png"
        assert (await other.compute.get(read)).status_code == 404
        # The URL leads to the S3 server itself.
        async with httpx.AsyncClient(trust_env=False) as internet:
            assert (await internet.get(image["url"])).content == data
        for one in (tenant, other):
            task = await one.compute.post(
                "/tasks/generation", json={"prompt": "a", "input_image_url": image["url"]}
            )
            assert task.status_code == 201, task.text
            assert (await one.stored())["objects"] == 1
        tampered = {"prompt": "a", "input_image_url": image["url"][:-1] + "x"}
        refused = await other.compute.post("/tasks/generation", json=tampered)
        assert refused.status_code == 422


async def test_the_same_answers_from_an_s3_server(s3_gateway: Gateway) -> None:
    async with a_tenant(s3_gateway) as tenant:
        assert (await upload(tenant, b"text")).status_code == 415
        own = tenant.organization_id.hex
        for path in (f"images/{own}/ab/none.png", "..%2fx"):
            assert (await tenant.compute.get(f"/storage/images/{path}")).status_code == 404
        assert (await tenant.stored())["objects"] == 0
