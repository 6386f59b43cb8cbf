"""Files that clients put straight into storage, where they wait until something takes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from db.ids import uuid7
from db.repositories.scope import OrganizationScope
from serve_app.core.errors import NotFound, PayloadTooLarge
from serve_app.core.images import CONTENT_TYPES, SUFFIXES
from serve_app.core.resources import Resources
from serve_app.core.storage.base import ObjectNotFound, ObjectStore

FOLDER: Final = "temp"
URL_SECONDS: Final = 15 * 60
_KEPT: Final = timedelta(hours=24)
_SUFFIX_OF = {CONTENT_TYPES[name]: suffix for name, suffix in SUFFIXES.items()}
_NAME = re.compile(r"[0-9a-f]{32}\.[a-z]{3,4}")


class UploadNotFound(NotFound):
    """Nothing was uploaded under the key, it has been taken, or it is another tenant's."""

    code = "upload_not_found"
    default_detail = "Upload not found"


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a client may put a file: ``key`` is its name until it is taken."""

    key: str
    url: str
    expires_at: datetime


class Uploads:
    """An organization's uploads."""

    def __init__(self, resources: Resources, scope: OrganizationScope) -> None:
        self._store = resources.store
        self._max_bytes = resources.settings.media.max_upload_bytes
        self._folder = f"{FOLDER}/{scope.organization_id.hex}/"

    async def open(self, content_type: str, base_url: str) -> Upload:
        """A new key, and a URL that takes a ``PUT`` for 15 minutes."""
        key = f"{self._folder}{uuid7().hex}.{_SUFFIX_OF[content_type]}"
        expires_at = datetime.now(UTC) + timedelta(seconds=URL_SECONDS)
        url = await self._store.sign_upload(key, expires_in=URL_SECONDS, base_url=base_url)
        return Upload(key, url, expires_at)

    async def read(self, key: str) -> bytes:
        """What was uploaded.

        Raises:
            UploadNotFound: as it says.
            PayloadTooLarge: it has more bytes than are taken.
        """
        if not (key.startswith(self._folder) and _NAME.fullmatch(key.removeprefix(self._folder))):
            raise UploadNotFound
        try:
            found = await self._store.stat(key)
            if found.size > self._max_bytes:
                raise PayloadTooLarge(
                    f"The upload has {found.size:,} bytes: at most {self._max_bytes:,} are taken"
                )
            return await self._store.get(key)
        except ObjectNotFound as error:
            raise UploadNotFound from error

    async def remove(self, key: str) -> None:
        """Forget an upload that was taken, or that nothing will ever take."""
        await self._store.delete(key)


async def sweep_uploads(store: ObjectStore, now: datetime | None = None) -> int:
    """Remove every organization's uploads that nothing took in 24 hours; returns how many."""
    oldest = (now or datetime.now(UTC)) - _KEPT
    stale = [found.path async for found in store.list(FOLDER) if found.modified_at < oldest]
    for path in stale:
        await store.delete(path)
    return len(stale)
