"""The interface of object storage: what the platform keeps besides its database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol

from serve_app.core.errors import NotFound, Unavailable

# Bytes, a file to copy, or an open seekable file, read from where it stands to its end.
Source = bytes | Path | BinaryIO

CHUNK_BYTES = 256 * 1024


class ObjectNotFound(NotFound):
    """Nothing is stored there."""

    code = "object_not_found"
    default_detail: ClassVar[str] = "No such object in storage"


class StorageUnavailable(Unavailable):
    """The storage cannot be reached or written; the text says why."""

    code = "storage_unavailable"


class StorageFull(StorageUnavailable):
    """There is no room left."""

    code = "storage_full"
    default_detail: ClassVar[str] = "The storage is full: free some space and try again"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One stored object; ``size`` is in bytes, ``modified_at`` in UTC.

    The time that `ObjectStore.put` answers may be a second off the one that is kept.
    """

    path: str
    size: int
    content_type: str
    modified_at: datetime


class ObjectStore(Protocol):
    """Named, immutable-by-convention byte strings under ``folder/folder/name.ext``.

    Every method that takes a path raises `InvalidPath` for one that no object can have, and every
    method raises `StorageUnavailable` when the storage does not answer. A prefix is a folder:
    ``tasks/a`` holds ``tasks/a/1.png`` and not ``tasks/ab/1.png``.
    """

    async def put(self, path: str, data: Source, content_type: str | None = None) -> StoredObject:
        """Store an object, replacing the one that was there; readers see the old or the new.

        Raises:
            StorageFull: there is no room; nothing is left behind.
            ValueError: ``content_type`` is not what the path's suffix stands for.
        """

    async def get(self, path: str) -> bytes:
        """The whole object.

        Raises:
            ObjectNotFound: nothing is stored there.
        """

    def stream(self, path: str) -> AsyncIterator[bytes]:
        """The object in chunks; `ObjectNotFound` comes with the first."""

    async def stat(self, path: str) -> StoredObject:
        """What is known of an object without reading it.

        Raises:
            ObjectNotFound: nothing is stored there.
        """

    async def exists(self, path: str) -> bool:
        """Whether an object is stored there."""

    async def delete(self, path: str) -> None:
        """Remove an object; nothing happens if there is none."""

    async def delete_prefix(self, prefix: str) -> int:
        """Remove every object in a folder; returns how many.

        Raises:
            ValueError: the prefix is empty.
        """

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Every object in a folder and the folders below it, in no particular order."""

    async def sign(self, path: str, *, expires_in: int, base_url: str) -> str:
        """A URL that fetches the object without a header for ``expires_in`` seconds.

        Args:
            path: of the object, which need not exist yet.
            expires_in: seconds, at least 1 and at most 7 days.
            base_url: scheme and host of the platform, where the platform itself serves objects.
        """

    async def sign_upload(self, path: str, *, expires_in: int, base_url: str) -> str:
        """A URL that takes the object's bytes by a ``PUT`` without a header for ``expires_in``
        seconds; arguments as for :meth:`sign`."""

    def resolve(self, url: str, base_urls: Iterable[str]) -> str | None:
        """The path of an object if the URL is one of our own, signed or not; else None.

        It says nothing about permission: see `grants`.
        """

    def grants(self, url: str, base_urls: Iterable[str]) -> bool:
        """Whether the URL is our own and carries a signature that is good now."""

    async def check(self) -> None:
        """Write, and remove again, a small object.

        Raises:
            StorageUnavailable: that failed; the text says what to look at.
        """

    async def aclose(self) -> None:
        """Close connections; the store is of no use afterwards."""
