"""What every object store promises, asked of each of them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from configs.settings import Settings
from serve_app.core.storage import InvalidPath, ObjectNotFound, ObjectStore, open_store

BASE_URL = "http://127.0.0.1:8000"


@pytest.fixture(params=["local", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    if request.param == "local":
        url = (tmp_path / "storage").as_uri()
    else:
        url = f"{request.getfixturevalue('seaweed_url')}/test-{uuid4().hex}?secure=false"
    store = open_store(Settings(home=tmp_path / "home", storage_url=url))
    yield store
    await store.aclose()


async def paths(store: ObjectStore, prefix: str = "") -> set[str]:
    return {found.path async for found in store.list(prefix)}


async def test_what_was_put_is_there(store: ObjectStore) -> None:
    stored = await store.put("images/a/1.png", b"pixels", "image/png")
    assert (stored.path, stored.size, stored.content_type) == ("images/a/1.png", 6, "image/png")
    assert abs(stored.modified_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert await store.get("images/a/1.png") == b"pixels"
    found = await store.stat("images/a/1.png")
    assert (found.path, found.size, found.content_type) == (stored.path, 6, "image/png")
    assert abs(found.modified_at - stored.modified_at) < timedelta(seconds=3)
    assert await store.exists("images/a/1.png")


async def test_files_and_open_files(store: ObjectStore, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    file = tmp_path / "weights.safetensors"
    file.write_bytes(data)
    stored = await store.put("loras/a.safetensors", file)
    assert (stored.size, stored.content_type) == (len(data), "application/octet-stream")
    handle = io.BytesIO(b"header" + data)
    handle.seek(6)
    await store.put("loras/b.safetensors", handle)
    assert await store.get("loras/b.safetensors") == data
    with pytest.raises(FileNotFoundError):
        await store.put("loras/c.safetensors", tmp_path / "absent")


async def test_empty_objects(store: ObjectStore) -> None:
    await store.put("empty.json", b"")
    assert await store.get("empty.json") == b""
    assert [chunk async for chunk in store.stream("empty.json")] == []


async def test_streams_come_in_chunks(store: ObjectStore) -> None:
    data = bytes(range(256)) * 4096
    await store.put("big.zip", data)
    chunks = [chunk async for chunk in store.stream("big.zip")]
    assert b"".join(chunks) == data
    assert len(chunks) > 1


async def test_a_stream_may_be_left_early(store: ObjectStore) -> None:
    await store.put("big.zip", bytes(4_000_000))
    stream = store.stream("big.zip")
    async for _ in stream:
        break
    await stream.aclose()  # type: ignore[attr-defined]
    assert await store.exists("big.zip")


async def test_a_second_put_replaces(store: ObjectStore) -> None:
    await store.put("a.png", b"first, and longer")
    await store.put("a.png", b"second")
    assert await store.get("a.png") == b"second"
    assert await paths(store) == {"a.png"}


async def test_parallel_puts_never_mix(store: ObjectStore) -> None:
    bodies = [bytes([i]) * 200_000 for i in range(8)]
    await asyncio.gather(*(store.put("same/a.bin", body) for body in bodies))
    assert await store.get("same/a.bin") in bodies
    assert await paths(store) == {"same/a.bin"}


async def test_missing_objects(store: ObjectStore) -> None:
    assert not await store.exists("no/such.png")
    with pytest.raises(ObjectNotFound):
        await store.get("no/such.png")
    with pytest.raises(ObjectNotFound):
        await store.stat("no/such.png")
    with pytest.raises(ObjectNotFound):
        _ = [chunk async for chunk in store.stream("no/such.png")]
    await store.delete("no/such.png")
    assert await store.delete_prefix("no") == 0
    assert await paths(store) == set()


async def test_a_folder_is_no_object(store: ObjectStore) -> None:
    await store.put("tasks/a/1.png", b"x")
    assert not await store.exists("tasks/a")
    with pytest.raises(ObjectNotFound):
        await store.get("tasks/a")
    with pytest.raises(ObjectNotFound):
        await store.stat("tasks/a")
    await store.delete("tasks/a")
    assert await paths(store) == {"tasks/a/1.png"}


async def test_prefixes_are_folders(store: ObjectStore) -> None:
    for path in ("tasks/a/1.png", "tasks/a/deep/2.png", "tasks/ab/3.png", "tasks/a.png"):
        await store.put(path, b"x")
    assert await paths(store, "tasks/a") == {"tasks/a/1.png", "tasks/a/deep/2.png"}
    assert await paths(store, "tasks/a/") == await paths(store, "tasks/a")
    assert await store.delete_prefix("tasks/a") == 2
    assert await paths(store) == {"tasks/ab/3.png", "tasks/a.png"}
    await store.put("tasks/a/1.png", b"again")
    await store.delete("tasks/a/1.png")
    assert await paths(store, "tasks/a") == set()


async def test_everything_is_not_deleted_by_mistake(store: ObjectStore) -> None:
    await store.put("a.png", b"x")
    with pytest.raises(ValueError, match="empty prefix"):
        await store.delete_prefix("")
    assert await store.exists("a.png")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../a.png",
        "a/../../b.png",
        "a/./b.png",
        "a//b.png",
        "a/",
        ".hidden",
        "a\0.png",
        "a\n.png",
        "a\\b.png",
        "%2e%2e/a.png",
        "é.png",
        "a b.png",
        "a/" * 300 + "b",
        "a" * 129,
    ],
)
async def test_wrong_paths_are_refused_everywhere(store: ObjectStore, path: str) -> None:
    for refused in (
        store.put(path, b"x"),
        store.get(path),
        store.stat(path),
        store.exists(path),
        store.delete(path),
        store.sign(path, expires_in=60, base_url=BASE_URL),
        anext(aiter(store.stream(path))),
    ):
        with pytest.raises(InvalidPath):
            await refused
    if path not in {"", "a/"}:
        with pytest.raises(InvalidPath):
            await store.delete_prefix(path)
        with pytest.raises(InvalidPath):
            await paths(store, path)


async def test_a_type_other_than_the_suffix_is_refused(store: ObjectStore) -> None:
    with pytest.raises(ValueError, match=r"image/png by its suffix, not image/jpeg"):
        await store.put("a.png", b"x", "image/jpeg")
    assert not await store.exists("a.png")


async def test_signed_urls_are_resolved_and_grant(store: ObjectStore) -> None:
    await store.put("images/a.webp", b"x")
    url = await store.sign("images/a.webp", expires_in=60, base_url=BASE_URL)
    assert store.resolve(url, [BASE_URL]) == "images/a.webp"
    assert store.grants(url, [BASE_URL])


async def test_unsigned_urls_of_the_platform_are_resolved_and_grant_nothing(
    store: ObjectStore,
) -> None:
    for route in ("/compute/api/v1/storage/images/", "/api/v1/storage/images/"):
        url = f"{BASE_URL}{route}images/a.png"
        assert store.resolve(url, [BASE_URL]) == "images/a.png"
        assert not store.grants(url, [BASE_URL])
        assert store.resolve(f"{BASE_URL}{route}../a.png", [BASE_URL]) is None
        assert store.resolve(f"https://elsewhere.example{route}a.png", [BASE_URL]) is None
        assert store.resolve(f"http://a@127.0.0.1:8000{route}a.png", [BASE_URL]) is None
    assert store.resolve("http://127.0.0.1:99999/a.png", [BASE_URL]) is None
    assert store.resolve("nonsense", [BASE_URL]) is None


async def test_changed_urls_grant_nothing(store: ObjectStore) -> None:
    url = await store.sign("images/a.webp", expires_in=60, base_url=BASE_URL)
    query = parse_qs(urlsplit(url).query)
    for value in [
        f"={query[name][0]}"
        for name in ("expires", "signature", "X-Amz-Expires", "X-Amz-Date", "X-Amz-Signature")
        if name in query
    ]:
        last = "1" if value[-1] != "1" else "2"
        # The last base64 character may differ in unused bits only, so change the one before too.
        changed = url.replace(value, f"{value[:-2]}{last}{last}")
        assert changed != url
        assert not store.grants(changed, [BASE_URL])
    assert not store.grants(url.replace("images/a.webp", "images/b.webp"), [BASE_URL])
    assert not store.grants(url.partition("?")[0], [BASE_URL])


async def test_urls_expire(store: ObjectStore) -> None:
    url = await store.sign("a.png", expires_in=1, base_url=BASE_URL)
    assert store.grants(url, [BASE_URL])
    await asyncio.sleep(1.05)
    assert not store.grants(url, [BASE_URL])
    assert store.resolve(url, [BASE_URL]) == "a.png"


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
async def test_lifetimes_have_limits(store: ObjectStore, seconds: int) -> None:
    with pytest.raises(ValueError, match="lives 1 to 604800 seconds"):
        await store.sign("a.png", expires_in=seconds, base_url=BASE_URL)


async def test_check_leaves_nothing_behind(store: ObjectStore) -> None:
    await store.check()
    await store.check()
    assert await paths(store) == set()


async def test_a_signed_upload_is_for_one_object(store: ObjectStore) -> None:
    for seconds in (0, 8 * 24 * 3600):
        with pytest.raises(ValueError, match="seconds"):
            await store.sign_upload("temp/a.png", expires_in=seconds, base_url=BASE_URL)
    with pytest.raises(InvalidPath):
        await store.sign_upload("../a.png", expires_in=60, base_url=BASE_URL)
    url = await store.sign_upload("temp/a.png", expires_in=60, base_url=BASE_URL)
    assert urlsplit(url).path.endswith("/temp/a.png")
    # It grants no reading.
    assert not store.grants(url, [BASE_URL])
