"""Object storage in a local folder: one object, one file."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from serve_app.core.storage.base import (
    CHUNK_BYTES,
    ObjectNotFound,
    Source,
    StorageFull,
    StorageUnavailable,
    StoredObject,
)
from serve_app.core.storage.paths import (
    InvalidPath,
    check_content_type,
    check_path,
    check_prefix,
    content_type_of,
)
from serve_app.core.storage.signing import UrlSigner, own_path

T = TypeVar("T")

_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
# EFBIG: the process may not write files of this size (`ulimit -f`).
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ATTEMPTS = 20
_TEMPORARY = ".put-"


class LocalStore:
    """Objects as files under ``root``, served by the platform itself through signed URLs."""

    def __init__(self, root: Path, secret: str) -> None:
        self.root = root
        self._signer = UrlSigner(secret)

    async def put(self, path: str, data: Source, content_type: str | None = None) -> StoredObject:
        """See `ObjectStore.put`. The file is on the disk, not only in its cache, on return."""
        check_content_type(check_path(path), content_type)
        if isinstance(data, Path):
            with await asyncio.to_thread(data.open, "rb") as handle:
                return await self.put(path, handle)
        return await self._run(path, partial(self._put, path, data))

    async def get(self, path: str) -> bytes:
        """See `ObjectStore.get`."""
        return await self._run(path, self._file(path).read_bytes)

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """See `ObjectStore.stream`."""
        file = self._file(path)
        handle = await self._run(path, lambda: file.open("rb"))
        with handle:
            while chunk := await self._run(path, lambda: handle.read(CHUNK_BYTES)):
                yield chunk

    async def stat(self, path: str) -> StoredObject:
        """See `ObjectStore.stat`."""
        file = self._file(path)
        return await self._run(path, lambda: self._describe(path, file.stat()))

    async def exists(self, path: str) -> bool:
        """See `ObjectStore.exists`."""
        return await self._run(path, self._file(path).is_file)

    async def delete(self, path: str) -> None:
        """See `ObjectStore.delete`."""
        file = self._file(path)
        with suppress(ObjectNotFound):
            await self._run(path, file.unlink)

    async def delete_prefix(self, prefix: str) -> int:
        """See `ObjectStore.delete_prefix`."""
        if not check_prefix(prefix):
            raise ValueError("deleting everything needs more than an empty prefix")
        return await self._run(prefix, lambda: _remove_tree(self.root / prefix))

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore.list`."""
        folder = self.root / check_prefix(prefix)
        for file in await self._run(prefix, lambda: [*_files(folder)]):
            with suppress(ObjectNotFound):  # removed since
                yield await self.stat(file.relative_to(self.root).as_posix())

    async def sign(self, path: str, *, expires_in: int, base_url: str) -> str:
        """See `ObjectStore.sign`."""
        return self._signer.sign(path, expires_in=expires_in, base_url=base_url)

    async def sign_upload(self, path: str, *, expires_in: int, base_url: str) -> str:
        """See `ObjectStore.sign_upload`."""
        return self._signer.sign_upload(check_path(path), expires_in=expires_in, base_url=base_url)

    def resolve(self, url: str, base_urls: Iterable[str]) -> str | None:
        """See `ObjectStore.resolve`."""
        return own_path(url, base_urls)

    def grants(self, url: str, base_urls: Iterable[str]) -> bool:
        """See `ObjectStore.grants`."""
        return self._signer.verify_url(url, base_urls)

    async def check(self) -> None:
        """See `ObjectStore.check`."""
        await self._run("", self._probe)

    async def aclose(self) -> None:
        """Nothing is open between calls."""

    def _file(self, path: str) -> Path:
        return self.root / check_path(path)

    async def _run(self, path: str, work: Callable[[], T]) -> T:
        def translated() -> T:
            with _translating(path, self.root):
                return work()

        return await asyncio.to_thread(translated)

    def _put(self, path: str, data: bytes | BinaryIO) -> StoredObject:
        file = self._file(path)
        descriptor, name = _open_beside(file)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                _copy(data, handle)
                handle.flush()
                os.fsync(handle.fileno())
                status = os.fstat(handle.fileno())
            Path(name).replace(file)
        except IsADirectoryError as error:
            Path(name).unlink()
            raise InvalidPath(f"{path!r} is a folder of other objects") from error
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        with suppress(FileNotFoundError):  # deleted again, folder and all
            _sync_folder(file.parent)
        return self._describe(path, status)

    def _probe(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=_TEMPORARY, dir=self.root) as handle:
            handle.write(b"ready")

    @staticmethod
    def _describe(path: str, status: os.stat_result) -> StoredObject:
        if not stat.S_ISREG(status.st_mode):
            raise ObjectNotFound(f"No object {path!r} in storage")
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return StoredObject(path, status.st_size, content_type_of(path), modified)


def _open_beside(file: Path) -> tuple[int, str]:
    """A temporary file in the same folder, so that renaming it is atomic."""
    for attempt in range(_ATTEMPTS):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            return tempfile.mkstemp(prefix=_TEMPORARY, dir=file.parent)
        except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
            if any(parent.is_file() for parent in file.parents):
                raise InvalidPath(f"Another object has the path of a folder of {file}") from error
            # Else a delete_prefix took the folder in between; mkdir itself says FileExistsError
            # of a folder that goes away between its two looks.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _copy(data: bytes | BinaryIO, handle: BinaryIO) -> None:
    if isinstance(data, bytes):
        handle.write(data)
    else:
        shutil.copyfileobj(data, handle, CHUNK_BYTES)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if not name.startswith(_TEMPORARY))


def _remove_tree(folder: Path) -> int:
    """Files first, then the folders that are empty: one being written to keeps its new file."""
    count = 0
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            if not name.startswith(_TEMPORARY):
                Path(parent, name).unlink(missing_ok=True)
                count += 1
        with suppress(OSError):
            Path(parent).rmdir()
    return count


@contextmanager
def _translating(path: str, root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if path and isinstance(error, _MISSING):
            raise ObjectNotFound(f"No object {path!r} in storage") from error
        if error.errno in _NO_ROOM:
            raise StorageFull from error
        raise StorageUnavailable(f"The storage folder {root}: {error.strerror}") from error
