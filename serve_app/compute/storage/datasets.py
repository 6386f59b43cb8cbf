"""Archives of pictures on their way into storage: checked first, then kept by their content."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, BinaryIO, Final, Self
from uuid import UUID

import orjson

from serve_app.core.datasets import read_dataset
from serve_app.core.errors import InvalidInput, PayloadTooLarge
from serve_app.core.intake import owner_of
from serve_app.core.resources import Resources
from serve_app.core.storage.base import ObjectNotFound

FOLDER: Final = "datasets"


class UnknownDataset(InvalidInput):
    """The URL is one of our own, but there is no such dataset, or it is another tenant's."""

    code = "unknown_dataset"

    def __init__(self, detail: str = "there is no such dataset in storage") -> None:
        super().__init__(detail)
        self.args = (detail,)


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """An archive in storage that can be trained from.

    ``images`` and ``captions`` count its pictures, and those of them with a caption; ``size`` is in
    bytes.
    """

    path: str
    size: int
    sha256: str
    images: int
    captions: int
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Self:
        """From what is kept beside the archive."""
        return cls(**{**stored, "warnings": tuple(stored["warnings"])})


class DatasetIntake:
    """Takes an organization's datasets in.

    Args:
        resources: of the process.
        organization_id: whose they are.
        base_urls: under which the platform is known, so that its own URLs are recognised.
        keeps: False: datasets are checked and not stored.
    """

    def __init__(
        self,
        resources: Resources,
        organization_id: UUID,
        base_urls: Iterable[str],
        *,
        keeps: bool = True,
    ) -> None:
        self._resources = resources
        self._limits = resources.settings.datasets
        self._organization = organization_id.hex
        self._base_urls = tuple(base_urls)
        self._keeps = keeps

    async def take_file(self, file: BinaryIO) -> StoredDataset:
        """Check an archive and store it; the same file twice is one object, and checked once.

        Raises:
            UnusableDataset: with every file in it that is wrong; nothing is stored.
            PayloadTooLarge: it has more bytes than are taken.
        """
        size, sha256 = await asyncio.to_thread(_measure, file)
        if size > self._limits.max_bytes:
            raise PayloadTooLarge(
                f"The file is too large: at most {self._limits.max_bytes:,} bytes"
            )
        path = f"{FOLDER}/{self._organization}/{sha256[:2]}/{sha256}.zip"
        if known := await self._known(path):
            return known
        media = self._resources.settings.media
        dataset = await asyncio.to_thread(read_dataset, file, self._limits, media)
        stored = StoredDataset(
            path, size, sha256, len(dataset.pictures), dataset.captions, dataset.warnings
        )
        if not self._keeps:
            return stored
        file.seek(0)
        await self._resources.store.put(path, file)
        # Last: where it is, the archive is too, and was checked.
        await self._resources.store.put(_facts_of(path), orjson.dumps(asdict(stored)))
        return stored

    async def take_url(self, url: str) -> StoredDataset:
        """The stored dataset of a URL: our own by its path, any other fetched and then stored.

        Raises:
            InvalidInput: the URL may not or cannot be fetched, or is no usable archive.
        """
        path = self._resources.store.resolve(url, self._base_urls)
        if path is not None and owner_of(path) != self._organization:
            raise UnknownDataset
        if path is not None and (known := await self._known(path)):
            return known
        with tempfile.TemporaryFile() as file:
            if path is None:
                await self._resources.fetcher.download(
                    url,
                    file,
                    max_bytes=self._limits.max_bytes,
                    timeout_seconds=self._limits.fetch_seconds,
                )
            else:
                await self._read(path, file)
            return await self.take_file(file)

    async def _read(self, path: str, file: BinaryIO) -> None:
        try:
            async for chunk in self._resources.store.stream(path):
                await asyncio.to_thread(file.write, chunk)
        except ObjectNotFound:
            raise UnknownDataset from None

    async def _known(self, path: str) -> StoredDataset | None:
        """What is kept about an archive that was taken before."""
        if not path.startswith(f"{FOLDER}/"):
            return None
        try:
            return StoredDataset.of(orjson.loads(await self._resources.store.get(_facts_of(path))))
        except ObjectNotFound:
            return None


def _facts_of(path: str) -> str:
    return f"{path.removesuffix('.zip')}.json"


def _measure(file: BinaryIO) -> tuple[int, str]:
    """Bytes and SHA-256 of a file, which is at its beginning again afterwards."""
    digest = hashlib.sha256()
    file.seek(0)
    for chunk in iter(partial(file.read, 1024 * 1024), b""):
        digest.update(chunk)
    size = file.tell()
    file.seek(0)
    return size, digest.hexdigest()
