"""``STORAGE_URL`` to the store it describes."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from urllib.request import url2pathname

from configs.settings import Settings, SettingsError
from serve_app.core.storage.base import ObjectStore
from serve_app.core.storage.local import LocalStore
from serve_app.core.storage.s3 import S3Location, S3Store

_FORMS = "file:///folder or s3://KEY:SECRET@host:port/bucket?secure=false&region=us-east-1"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_store(settings: Settings) -> ObjectStore:
    """The store of this installation; nothing is touched or connected to yet.

    Raises:
        SettingsError: ``STORAGE_URL`` is of neither form. Its text does not repeat the secret.
    """
    parts = urlsplit(settings.resolved_storage_url)
    if parts.scheme == "file" and parts.hostname in {None, "localhost"} and parts.path:
        return LocalStore(Path(url2pathname(parts.path)), settings.secret_key.get_secret_value())
    if parts.scheme == "s3":
        return _s3_store(parts)
    raise SettingsError(f"STORAGE_URL must be {_FORMS}")


def _s3_store(parts: SplitResult) -> S3Store:
    options = dict(parse_qsl(parts.query))
    secure, region = options.pop("secure", "true").lower(), options.pop("region", "us-east-1")
    bucket = parts.path.strip("/")
    if not (parts.hostname and parts.username and parts.password and bucket):
        raise SettingsError(f"STORAGE_URL must be {_FORMS}")
    if not _BUCKET.fullmatch(bucket):
        raise SettingsError(f"STORAGE_URL names no valid S3 bucket: {_FORMS}")
    if secure not in {"true", "false"} or options:
        raise SettingsError(f"STORAGE_URL takes the options `secure` and `region`: {_FORMS}")
    location = S3Location(
        endpoint=parts.netloc.rpartition("@")[2],
        bucket=bucket,
        access_key=unquote(parts.username),
        secret_key=unquote(parts.password),
        secure=secure == "true",
        region=region,
    )
    try:
        return S3Store(location)
    except ValueError as error:
        raise SettingsError(f"STORAGE_URL: {error}") from error
