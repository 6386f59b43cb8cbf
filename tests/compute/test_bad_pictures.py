"""Pictures that are refused, uploaded or fetched, and places that are not fetched from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from serve_app.core.storage.signing import UrlSigner
from tests.factories.pictures import UNUSABLE, picture
from tests.fixtures.api import BASE_URL, NOTHING, Tenant
from tests.fixtures.web import HOST, Web

REASONS = {
    "empty": "the file is empty",
    "text": "no picture in JPEG, PNG, WebP or AVIF",
    "svg": "no picture in JPEG, PNG, WebP or AVIF",
    "pdf": "no picture in JPEG, PNG, WebP or AVIF",
    "truncated": "damaged or cut off",
    "truncated png": "damaged or cut off",
    "corrupt": "damaged or cut off",
    "animated": "send a single frame",
    "bomb": "scale it down to at most 40,000,000",
    "tiny": "both sides must have 16 pixels",
}
STATUSES = {"text": 415, "svg": 415, "pdf": 415, "bomb": 413}


async def submit(tenant: Tenant, url: str) -> httpx.Response:
    body = {"prompt": "a dress", "input_image_url": url}
    return await tenant.compute.post("/tasks/generation", json=body)


async def process(tenant: Tenant, url: str, **config: Any) -> httpx.Response:
    config = {"operation": "upscale", "image_url": url, **config}
    return await tenant.compute.post("/tasks/", json={"type": "processing", "config": config})


async def refused(tenant: Tenant, url: str, words: str) -> None:
    """Both routes that take a URL say why not, and keep nothing."""
    for response, loc in (
        (await submit(tenant, url), ["body", "input_image_url"]),
        (await process(tenant, url), ["body", "processing", "config", "image_url"]),
    ):
        assert response.status_code == 422, response.text
        (error,) = response.json()["detail"]
        assert error["loc"] == loc
        assert error["msg"].startswith("Invalid input: ")
        assert words in error["msg"]
    assert await tenant.stored() == NOTHING


@pytest.mark.parametrize("name", UNUSABLE)
async def test_uploads_that_are_no_pictures(tenant: Tenant, name: str) -> None:
    file = {"file": ("dress.png", UNUSABLE[name], "image/png")}
    response = await tenant.compute.post("/storage/images", files=file)
    assert response.status_code == STATUSES.get(name, 422), response.text
    assert REASONS[name] in str(response.json()["detail"])
    assert await tenant.stored() == NOTHING


@pytest.mark.parametrize("name", UNUSABLE)
async def test_urls_of_no_pictures(tenant: Tenant, web: Web, name: str) -> None:
    url = web.put(f"/{name.replace(' ', '-')}", UNUSABLE[name])
    await refused(tenant, url, REASONS[name])


async def too_many_bytes() -> AsyncIterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    for _ in range(12):
        yield bytes(100_000)
    yield b"\r\n--x--\r\n"


async def test_uploads_that_are_too_large(tenant: Tenant) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for response in (
        await tenant.compute.post("/storage/images", files={"file": bytes(1_010_000)}),
        await tenant.compute.post("/storage/images", files={"file": bytes(2_000_000)}),
        # Of a length that is not declared.
        await tenant.compute.post("/storage/images", content=too_many_bytes(), headers=form),
    ):
        assert response.status_code == 413
        assert "too large: at most" in response.json()["detail"]
    assert await tenant.stored() == NOTHING


async def test_uploads_that_are_no_forms(tenant: Tenant) -> None:
    for content, kind in (
        (b"", "multipart/form-data; boundary=x"),
        (b"garbage", "multipart/form-data; boundary=x"),
        (b"garbage", "multipart/form-data"),
        (picture(), "image/png"),
        (b'{"file": "x"}', "application/json"),
    ):
        headers = {"Content-Type": kind}
        response = await tenant.compute.post("/storage/images", content=content, headers=headers)
        assert response.status_code in {400, 422}, (kind, response.text)
        assert response.json()["detail"]
    other_name = await tenant.compute.post("/storage/images", files={"image": picture()})
    assert other_name.json()["detail"][0]["loc"] == ["body", "file"]
    as_text = await tenant.compute.post("/storage/images", data={"file": "text"})
    assert as_text.json()["detail"][0]["loc"] == ["body", "file"]
    assert await tenant.stored() == NOTHING


PRIVATE = "is not a public address"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1/a.png", PRIVATE),
        ("http://127.0.0.1:{port}/a.png", PRIVATE),
        ("http://[::1]/a.png", PRIVATE),
        ("http://10.0.0.1/a.png", PRIVATE),
        ("http://192.168.1.1/a.png", PRIVATE),
        ("http://172.16.0.1/a.png", PRIVATE),
        ("http://169.254.169.254/latest/meta-data/", PRIVATE),
        ("http://[fe80::1]/a.png", PRIVATE),
        ("http://[::ffff:127.0.0.1]/a.png", PRIVATE),
        ("http://0.0.0.0/a.png", PRIVATE),
        ("http://loopback.example:{port}/a.png", PRIVATE),
        ("http://private.example/a.png", PRIVATE),
        ("http://metadata.example/a.png", PRIVATE),
        ("http://mixed.example/a.png", PRIVATE),
        ("http://nowhere.example/a.png", "has no address"),
        ("http://images.example:1/a.png", "could not be reached"),
        ("ftp://images.example/a.png", "http:// or https://"),
        ("file:///etc/passwd", "http:// or https://"),
        ("data:image/png;base64,AAAA", "http:// or https://"),
        ("javascript:alert(1)", "http:// or https://"),
        ("//images.example/a.png", "http:// or https://"),
        ("/etc/passwd", "http:// or https://"),
        ("a.png", "http:// or https://"),
        ("http://", "http:// or https://"),
        ("http:///a.png", "http:// or https://"),
        ("http://user:secret@images.example/a.png", "user name or password"),
        ("http://images.example:99999/a.png", ""),
        ("http://images.example/\r\nX-Injected: 1", "malformed"),
        ("http://images.example\t/a.png", "malformed"),
    ],
)
async def test_places_that_are_not_fetched_from(
    tenant: Tenant, web: Web, url: str, words: str
) -> None:
    asked = len(web.asked)
    await refused(tenant, url.format(port=web.port), words)
    assert len(web.asked) == asked


async def test_redirects_to_such_places(tenant: Tenant, web: Web) -> None:
    for target in (
        f"http://127.0.0.1:{web.port}/secret",
        f"http://loopback.example:{web.port}/secret",
        "http://169.254.169.254/latest/meta-data/",
        "http://private.example/",
    ):
        url = web.put("/away", b"", status="302 Found", headers=[f"Location: {target}"])
        await refused(tenant, url, PRIVATE)
    assert "/secret" not in web.asked
    url = web.put("/away", b"", status="302 Found", headers=["Location: file:///etc/passwd"])
    await refused(tenant, url, "http:// or https://")
    url = web.put("/loop", b"", status="302 Found", headers=["Location: /loop"])
    await refused(tenant, url, "redirects")


async def test_answers_that_are_not_taken(tenant: Tenant, web: Web) -> None:
    await refused(tenant, web.put("/gone", b"", status="410 Gone"), "status 410")
    await refused(tenant, web.put("/large", bytes(1_000_001)), "more than 1,000,000 bytes")
    await refused(tenant, f"http://{HOST}:{web.port}/unknown.png", "status 404")


async def test_a_public_picture_is_fetched_once_and_kept(tenant: Tenant, web: Web) -> None:
    data = picture()
    url = web.put("/good.png", data)
    task = await submit(tenant, url)
    assert task.status_code == 201, task.text
    read = await tenant.compute.get(f"/tasks/generation/{task.json()['id']}")
    kept = read.json()["config"]["input_image_url"]
    assert (await tenant.compute.get(kept)).content == data
    assert web.asked.count("/good.png") == 1
    assert (await tenant.stored())["objects"] == 1


async def test_results_that_would_be_too_large(tenant: Tenant, web: Web) -> None:
    url = web.put("/wide.png", picture(2100, 2000))
    response = await process(tenant, url, scale=4)
    assert response.status_code == 422
    (error,) = response.json()["detail"]
    assert error["loc"][-1] == "scale"
    assert "more than 64,000,000 pixels" in error["msg"]
    stored = await tenant.stored()
    assert (stored["tasks"], stored["events"]) == (0, 0)


def own_url(tenant: Tenant, path: str) -> str:
    return f"{BASE_URL}/compute/api/v1/storage/images/{path}"


def signed(tenant: Tenant, path: str) -> str:
    signer = UrlSigner(tenant.gateway.settings.secret_key.get_secret_value())
    return signer.sign(path, expires_in=60, base_url=BASE_URL)


@pytest.mark.parametrize("make", [own_url, signed])
async def test_our_own_urls_of_nothing(tenant: Tenant, make: Callable[[Tenant, str], str]) -> None:
    own = f"images/{tenant.organization_id.hex}/ab/none.png"
    await refused(tenant, make(tenant, own), "no such image in storage")


async def test_our_own_urls_of_others(tenant: Tenant, other: Tenant) -> None:
    upload = await other.compute.post("/storage/images", files={"file": picture()})
    url, path = upload.json()["url"], upload.json()["path"]
    for refusable in (own_url(tenant, path), url[:-2] + "AA", url.replace("expires=", "expires=9")):
        if refusable != url:
            await refused(tenant, refusable, "no such image in storage")
    # A good signature is a right to read; what is made of it becomes one's own.
    task = await submit(tenant, url)
    assert task.status_code == 201, task.text
    read = await tenant.compute.get(f"/tasks/generation/{task.json()['id']}")
    assert tenant.organization_id.hex in read.json()["config"]["input_image_url"]
    assert (await tenant.stored())["objects"] == 1


async def test_paths_that_lead_out_of_storage(tenant: Tenant) -> None:
    own = tenant.organization_id.hex
    for path in (f"images/{own}/../../secrets.json", "..%2f..%2fsecrets.json", "%2e%2e/x"):
        response = await submit(tenant, own_url(tenant, path))
        assert response.status_code == 422, response.text
    assert await tenant.stored() == NOTHING
