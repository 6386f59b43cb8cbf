"""Object storage on an S3 server, through the ``minio`` SDK.

The SDK blocks, so every call that reaches the network runs in a thread.
"""

from __future__ import annotations

import asyncio
import hmac
import io
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import parse_qsl, urlsplit

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, S3Error, ServerError

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
from serve_app.core.storage.signing import check_seconds, origin, own_path

T = TypeVar("T")

_MISSING = {"NoSuchKey", "NoSuchBucket", "NoSuchObject"}
_NO_ROOM = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage"}
_BUCKET_EXISTS = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
_PROBE = "_ready/probe"
_DATE = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class S3Location:
    """Where objects lie: a server, its credentials and a bucket.

    ``endpoint`` is ``host:port``; ``region`` is known beforehand, which saves asking the server.
    """

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    secure: bool = True
    region: str = "us-east-1"

    def __repr__(self) -> str:
        return f"S3Location({self.endpoint}/{self.bucket})"


class S3Store:
    """Objects in one bucket, which is created when it is missing."""

    def __init__(self, location: S3Location) -> None:
        self._location = location
        self._bucket = location.bucket
        self._pool = urllib3.PoolManager(
            maxsize=16,
            timeout=urllib3.Timeout(connect=5, read=30),
            retries=urllib3.Retry(
                total=3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504]
            ),
        )
        self._client = Minio(
            location.endpoint,
            access_key=location.access_key,
            secret_key=location.secret_key,
            secure=location.secure,
            region=location.region,
            http_client=self._pool,
        )
        self._bucket_known = False
        self._bucket_lock = threading.Lock()

    async def put(self, path: str, data: Source, content_type: str | None = None) -> StoredObject:
        """See `ObjectStore.put`; S3 shows an object only once it is whole."""
        kind = check_content_type(check_path(path), content_type)
        if isinstance(data, Path):
            with await asyncio.to_thread(data.open, "rb") as handle:
                return await self.put(path, handle)
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        return await self._run(path, partial(self._put, path, source, kind))

    async def get(self, path: str) -> bytes:
        """See `ObjectStore.get`."""
        return await self._run(path, partial(self._get, check_path(path)))

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """See `ObjectStore.stream`."""
        check_path(path)
        response = await self._run(path, lambda: self._client.get_object(self._bucket, path))
        try:
            while chunk := await self._run(path, lambda: response.read(CHUNK_BYTES)):
                yield chunk
        finally:
            # Closing rather than draining: a reader that went away may leave gigabytes.
            response.close()
            response.release_conn()

    async def stat(self, path: str) -> StoredObject:
        """See `ObjectStore.stat`."""
        check_path(path)
        found = await self._run(path, lambda: self._client.stat_object(self._bucket, path))
        return _describe(path, found)

    async def exists(self, path: str) -> bool:
        """See `ObjectStore.exists`."""
        try:
            await self.stat(path)
        except ObjectNotFound:
            return False
        return True

    async def delete(self, path: str) -> None:
        """See `ObjectStore.delete`."""
        check_path(path)
        with suppress(ObjectNotFound):
            await self._run(path, lambda: self._client.remove_object(self._bucket, path))

    async def delete_prefix(self, prefix: str) -> int:
        """See `ObjectStore.delete_prefix`."""
        folder = check_prefix(prefix)
        if not folder:
            raise ValueError("deleting everything needs more than an empty prefix")
        return await self._run(prefix, partial(self._delete_folder, folder))

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore.list`."""
        for found in await self._run(prefix, partial(self._list, check_prefix(prefix))):
            yield _describe(found.object_name, found)

    async def sign(self, path: str, *, expires_in: int, base_url: str) -> str:  # noqa: ARG002
        """See `ObjectStore.sign`: a presigned GET of the S3 server itself."""
        return self._presign(check_path(path), check_seconds(expires_in), datetime.now(UTC))

    async def sign_upload(self, path: str, *, expires_in: int, base_url: str) -> str:  # noqa: ARG002
        """See `ObjectStore.sign_upload`: a presigned PUT of the S3 server itself."""
        lifetime = timedelta(seconds=check_seconds(expires_in))
        await self._run(path, self._ensure_bucket)
        url: str = self._client.presigned_put_object(
            self._bucket, check_path(path), expires=lifetime
        )
        return url

    def resolve(self, url: str, base_urls: Iterable[str]) -> str | None:
        """See `ObjectStore.resolve`: the platform's own route, or an object of the bucket."""
        return own_path(url, base_urls) or self._bucket_path(url)

    def grants(self, url: str, base_urls: Iterable[str]) -> bool:  # noqa: ARG002
        """See `ObjectStore.grants`: the presigned URL is made again and compared."""
        path = self._bucket_path(url)
        query = dict(parse_qsl(urlsplit(url).query))
        try:
            date = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
            seconds = check_seconds(int(query["X-Amz-Expires"]))
            signature = query["X-Amz-Signature"].encode()
        except (KeyError, ValueError):
            return False
        if path is None or not date <= datetime.now(UTC) < date + timedelta(seconds=seconds):
            return False
        expected = dict(parse_qsl(urlsplit(self._presign(path, seconds, date)).query))
        return hmac.compare_digest(expected["X-Amz-Signature"].encode(), signature)

    async def check(self) -> None:
        """See `ObjectStore.check`."""
        await self._run("", self._probe)

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await asyncio.to_thread(self._pool.clear)

    def _put(self, path: str, source: BinaryIO, content_type: str) -> StoredObject:
        self._ensure_bucket()
        start = source.tell()
        size = source.seek(0, os.SEEK_END) - start
        source.seek(start)
        written = self._client.put_object(
            self._bucket, path, source, size, content_type=content_type
        )
        # The server's own clock, for which no second request is needed.
        modified = parsedate_to_datetime(written.http_headers["date"])
        return StoredObject(path, size, content_type, modified)

    def _get(self, path: str) -> bytes:
        response = self._client.get_object(self._bucket, path)
        try:
            data: bytes = response.read()
            return data
        finally:
            response.close()
            response.release_conn()

    def _list(self, folder: str) -> Sequence[Any]:
        try:
            found = self._client.list_objects(self._bucket, folder, recursive=True)
            return [one for one in found if not one.is_dir and _is_ours(one.object_name)]
        except S3Error as error:
            if error.code == "NoSuchBucket":
                return []
            raise

    def _delete_folder(self, folder: str) -> int:
        doomed = [DeleteObject(found.object_name) for found in self._list(folder)]
        for error in self._client.remove_objects(self._bucket, doomed):
            raise StorageUnavailable(f"{error.name} could not be deleted: {error.message}")
        return len(doomed)

    def _probe(self) -> None:
        self._ensure_bucket()
        self._client.put_object(self._bucket, _PROBE, io.BytesIO(b"ready"), 5)
        self._client.remove_object(self._bucket, _PROBE)

    def _ensure_bucket(self) -> None:
        if self._bucket_known:
            return
        with self._bucket_lock:
            try:
                if not self._client.bucket_exists(self._bucket):
                    self._client.make_bucket(self._bucket)
            except S3Error as error:  # another process was faster
                if error.code not in _BUCKET_EXISTS:
                    raise
            self._bucket_known = True

    def _presign(self, path: str, seconds: int, date: datetime) -> str:
        # The region is known, so this computes and does not ask the server.
        url: str = self._client.presigned_get_object(
            self._bucket, path, expires=timedelta(seconds=seconds), request_date=date
        )
        return url

    def _bucket_path(self, url: str) -> str | None:
        scheme = "https" if self._location.secure else "http"
        try:
            if origin(url) != origin(f"{scheme}://{self._location.endpoint}"):
                return None
            bucket, _, path = urlsplit(url).path.removeprefix("/").partition("/")
            return check_path(path) if bucket == self._bucket else None
        except (ValueError, InvalidPath):
            return None

    async def _run(self, path: str, work: Callable[[], T]) -> T:
        def translated() -> T:
            with self._translating(path):
                return work()

        return await asyncio.to_thread(translated)

    @contextmanager
    def _translating(self, path: str) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            if error.code in _MISSING:
                raise ObjectNotFound(f"No object {path!r} in storage") from error
            if error.code in _NO_ROOM:
                raise StorageFull from error
            raise StorageUnavailable(f"{self._location!r}: {error.code}") from error
        except (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError) as error:
            raise StorageUnavailable(
                f"{self._location!r} does not answer: {type(error).__name__}"
            ) from error


def _is_ours(name: str) -> bool:
    """Other tools may keep objects in the bucket whose names no object of ours can have."""
    try:
        return check_path(name) == name
    except InvalidPath:
        return False


def _describe(path: str, found: Any) -> StoredObject:
    return StoredObject(path, found.size, content_type_of(path), found.last_modified)
