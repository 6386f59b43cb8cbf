"""Where a platform is reached."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import httpx

from configs.settings import Settings
from serve_app.client.errors import ClientError

COMPUTE_BASE: Final = "/compute/api/v1"


def local_url(settings: Settings) -> str:
    """Where a client on this machine reaches the platform.

    An address that means "every interface" is no address to connect to.
    """
    http = settings.http
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(http.host, http.host)  # noqa: S104
    return f"http://{host}:{http.port}"


def is_local(url: str) -> bool:
    """Whether a URL leads to this machine."""
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}


def compute_url(base_url: str) -> str:
    """The URL of the Compute API, whose default path is added to that of a platform.

    Raises:
        ClientError: it is no URL.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ClientError(f"{base_url!r} is no URL: {error}.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ClientError(f"{base_url!r} is no URL: it must look like http://127.0.0.1:8000.")
    return str(url.copy_with(path=COMPUTE_BASE) if url.path == "/" else url).rstrip("/")
