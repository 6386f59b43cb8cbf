from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serve_app.core.storage import InvalidPath, StorageFull, StorageUnavailable
from serve_app.core.storage.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "storage", "a secret of the tests")


def files(store: LocalStore) -> list[str]:
    return [str(file.relative_to(store.root)) for file in store.root.rglob("*") if file.is_file()]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to let files of this process grow further, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_no_room_is_a_clear_error_and_leaves_no_half_file(store: LocalStore) -> None:
    await store.put("a/1.bin", b"before")
    with largest_file(1_000_000), pytest.raises(StorageFull, match="storage is full"):
        await store.put("a/1.bin", bytes(2_000_000))
    assert await store.get("a/1.bin") == b"before"
    assert files(store) == ["a/1.bin"]


async def test_a_source_that_fails_leaves_nothing(store: LocalStore) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as not_readable, pytest.raises(StorageUnavailable):
        await store.put("a/1.bin", not_readable)
    assert files(store) == []


async def test_a_killed_writer_leaves_no_object(store: LocalStore, tmp_path: Path) -> None:
    script = """
import asyncio, os, signal, sys
from pathlib import Path
from serve_app.core.storage.local import LocalStore

class Dying:
    def read(self, size):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(LocalStore(Path(sys.argv[1]), "s").put("a/1.bin", Dying()))
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(store.root), stderr=subprocess.DEVNULL
    )
    assert await process.wait() == -9
    assert not await store.exists("a/1.bin")
    assert [found.path async for found in store.list()] == []
    await store.put("a/1.bin", b"fine")
    assert [found.path async for found in store.list("a")] == ["a/1.bin"]


async def test_names_of_files_and_folders_do_not_meet(store: LocalStore) -> None:
    await store.put("a/1.bin", b"x")
    with pytest.raises(InvalidPath, match="folder"):
        await store.put("a", b"x")
    with pytest.raises(InvalidPath, match="folder"):
        await store.put("a/1.bin/2.bin", b"x")
    assert files(store) == ["a/1.bin"]


async def test_puts_win_against_deletes_of_their_folder(store: LocalStore) -> None:
    async def keep_deleting() -> None:
        while True:
            await store.delete_prefix("a/b")

    deleting = asyncio.create_task(keep_deleting())
    try:
        for number in range(50):
            await store.put(f"a/b/c/{number}.bin", b"x")
    finally:
        deleting.cancel()


async def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = LocalStore(tmp_path / "file" / "storage", "secret")
    with pytest.raises(StorageUnavailable, match="Not a directory"):
        await store.check()


async def test_symbolic_links_out_of_the_folder_need_an_operator(store: LocalStore) -> None:
    """No method of the store makes one, and a put replaces the link, not what it points to."""
    outside = store.root.parent / "outside.bin"
    outside.write_bytes(b"outside")
    store.root.mkdir()
    (store.root / "link.bin").symlink_to(outside)
    await store.put("link.bin", b"inside")
    assert outside.read_bytes() == b"outside"
