"""Pictures from outside, on their way into storage: checked first, then kept by their content."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from serve_app.core.errors import InvalidInput
from serve_app.core.images import SUFFIXES, ImageInfo, inspect_image
from serve_app.core.resources import Resources
from serve_app.core.storage.base import ObjectNotFound


class UnknownImage(InvalidInput):
    """The URL is one of our own, but there is no such image, or it is another tenant's."""

    code = "unknown_image"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture in storage, and what it is."""

    path: str
    info: ImageInfo


def owner_of(path: str) -> str | None:
    """The organization (32 hexadecimal digits) whose folder an object lies in."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else None


class Intake:
    """Takes an organization's pictures in.

    Args:
        resources: of the process.
        organization_id: whose pictures they are.
        base_urls: under which the platform is known, so that its own URLs are recognised.
        keeps: False: pictures are checked and not stored.
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
        self._organization = organization_id.hex
        self._base_urls = tuple(base_urls)
        self._keeps = keeps

    async def take_bytes(self, data: bytes) -> StoredImage:
        """Check a picture and store it; the same file twice is one object.

        Raises:
            InvalidImage: it is none, or not one the platform can work with; nothing is stored.
        """
        info = await asyncio.to_thread(inspect_image, data, self._resources.settings.media)
        suffix = SUFFIXES[info.format]
        path = f"images/{self._organization}/{info.sha256[:2]}/{info.sha256}.{suffix}"
        if self._keeps and not await self._resources.store.exists(path):
            await self._resources.store.put(path, data, info.content_type)
        return StoredImage(path, info)

    async def take_url(self, url: str) -> StoredImage:
        """The stored picture of a URL: our own by its path, any other fetched and then stored.

        Raises:
            InvalidInput: the URL may not or cannot be fetched, or is no picture.
        """
        path = self._own_path(url)
        if path is None:
            return await self.take_bytes(await self._resources.fetcher.fetch(url))
        try:
            data = await self._resources.store.get(path)
        except ObjectNotFound:
            raise UnknownImage("there is no such image in storage") from None
        if owner_of(path) != self._organization:
            # A signature grants reading for a while; what a task uses must stay its own.
            return await self.take_bytes(data)
        info = await asyncio.to_thread(inspect_image, data, self._resources.settings.media)
        return StoredImage(path, info)

    def _own_path(self, url: str) -> str | None:
        store = self._resources.store
        path = store.resolve(url, self._base_urls)
        if path is None:
            return None
        if owner_of(path) != self._organization and not store.grants(url, self._base_urls):
            raise UnknownImage("there is no such image in storage")
        return path
