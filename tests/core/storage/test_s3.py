from __future__ import annotations

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from configs.settings import Settings
from serve_app.core.storage import StorageUnavailable, open_store
from serve_app.core.storage.s3 import S3Location, S3Store
from tests.fixtures.storage import free_ports, run_seaweed


def location(url: str, **changes: str) -> S3Location:
    key, _, rest = url.removeprefix("s3://").partition(":")
    secret, _, endpoint = rest.partition("@")
    values = {"endpoint": endpoint, "bucket": "bucket", "access_key": key, "secret_key": secret}
    return S3Location(**{**values, **changes}, secure=False)


async def test_presigned_urls_fetch_without_a_header(seaweed_url: str) -> None:
    store = S3Store(location(seaweed_url, bucket=f"test-{uuid4().hex}"))
    await store.put("images/a.png", b"pixels")
    url = await store.sign("images/a.png", expires_in=60, base_url="")
    async with httpx.AsyncClient() as client:
        response = await client.get(url)
        assert (response.status_code, response.content) == (200, b"pixels")
        assert response.headers["content-type"] == "image/png"
        changed = await client.get(url.replace("a.png", "b.png"))
        assert changed.status_code == 403
        assert (await client.get(url.partition("?")[0])).status_code == 403
    await store.aclose()


async def test_a_url_of_another_bucket_is_not_ours(seaweed_url: str) -> None:
    store, other = (S3Store(location(seaweed_url, bucket=name)) for name in ("mine", "other"))
    url = await other.sign("a.png", expires_in=60, base_url="")
    assert store.resolve(url, []) is None
    assert not store.grants(url, [])


async def test_more_objects_than_one_page_of_a_listing(seaweed_url: str) -> None:
    store = S3Store(location(seaweed_url, bucket=f"test-{uuid4().hex}"))
    names = [f"many/{number}.txt" for number in range(1005)]
    for start in range(0, len(names), 100):
        await asyncio.gather(*(store.put(path, b"x") for path in names[start : start + 100]))
    assert {found.path async for found in store.list("many")} == set(names)
    assert await store.delete_prefix("many") == len(names)
    assert [found async for found in store.list()] == []
    await store.aclose()


async def test_reading_before_the_bucket_exists(seaweed_url: str) -> None:
    store = S3Store(location(seaweed_url, bucket=f"test-{uuid4().hex}"))
    assert not await store.exists("a.png")
    assert [found async for found in store.list()] == []
    await store.aclose()


async def test_foreign_names_in_the_bucket_are_left_alone(seaweed_url: str) -> None:
    store = S3Store(location(seaweed_url, bucket=f"test-{uuid4().hex}"))
    await store.put("a/1.png", b"x")
    await _put_raw(store, "a/not ours.png")
    assert [found.path async for found in store.list()] == ["a/1.png"]
    assert await store.delete_prefix("a") == 1
    await store.aclose()


async def _put_raw(store: S3Store, name: str) -> None:
    url = store._client.presigned_put_object(store._bucket, name)
    async with httpx.AsyncClient() as client:
        (await client.put(url, content=b"x")).raise_for_status()


async def test_wrong_credentials_are_named_without_the_secret(seaweed_url: str) -> None:
    store = S3Store(location(seaweed_url, secret_key="wrong-and-private"))
    with pytest.raises(StorageUnavailable, match=r"AccessDenied|SignatureDoesNotMatch") as caught:
        await store.check()
    assert "wrong-and-private" not in str(caught.value)
    await store.aclose()


async def test_a_server_that_is_not_there_fails_soon() -> None:
    store = S3Store(location(f"s3://key:secret@127.0.0.1:{free_ports(1)[0]}"))
    start = time.monotonic()
    with pytest.raises(StorageUnavailable, match="does not answer"):
        await store.check()
    assert time.monotonic() - start < 10
    await store.aclose()


async def test_objects_outlive_their_server_and_nothing_else_does(tmp_path: Path) -> None:
    for attempt in range(2):
        with run_seaweed(tmp_path) as url:
            assert processes_of(tmp_path)
            settings = Settings(home=tmp_path / "home", storage_url=f"{url}/kept?secure=false")
            store = open_store(settings)
            if attempt == 0:
                await store.put("a/1.png", b"kept")
            assert await store.get("a/1.png") == b"kept"
            await store.aclose()
        assert not processes_of(tmp_path)


def processes_of(folder: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or [])
    ]


async def test_presigned_uploads_take_a_file_without_a_header(seaweed_url: str) -> None:
    store = S3Store(location(seaweed_url, bucket=f"test-{uuid4().hex}"))
    url = await store.sign_upload("temp/a.png", expires_in=60, base_url="")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.put(url.replace("a.png", "b.png"), content=b"x")).status_code == 403
        assert (await client.put(url, content=b"pixels")).status_code == 200
        assert (await client.get(url)).status_code == 403
    assert await store.get("temp/a.png") == b"pixels"
    await store.aclose()
