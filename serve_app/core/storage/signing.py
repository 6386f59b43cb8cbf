"""Our own signed URLs: an HMAC over the path and the second of expiry."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from serve_app.core.storage.paths import InvalidPath, check_path

# The route that serves objects: on one port, and where the Compute API has a host of its own.
IMAGES_ROUTE = "/compute/api/v1/storage/images/"
# The route that takes uploads.
UPLOADS_ROUTE = "/compute/api/v1/storage/uploads/"
_ROUTES = (IMAGES_ROUTE, "/api/v1/storage/images/")
_PUT = "PUT\n"
_MAX_SECONDS = 7 * 24 * 3600
_REMEMBERED = 16_384
_PORTS = {"http": 80, "https": 443}


class UrlSigner:
    """Signs and verifies paths with one secret.

    Args:
        secret: any text; a key of its own is derived from it, so that it may sign other things too.
    """

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"sartiq/storage-url/v1", "sha256")
        # A page of a list shows a hundred of them, and is looked at again and again.
        self._signed = lru_cache(maxsize=_REMEMBERED)(self._sign)

    def signature(self, path: str, expires: int) -> str:
        """URL-safe base64 of the HMAC-SHA256, 43 characters."""
        # The newline cannot occur in a path, so no two pairs give one message. That of an upload
        # has one line more: to read and to write are different rights.
        digest = hmac.digest(self._key, f"{path}\n{expires}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def sign(self, path: str, *, expires_in: int, base_url: str) -> str:
        """The URL of an object for the next ``expires_in`` seconds, or up to a hundredth more: for
        that long the same URL is handed out, so that a browser keeps the picture.

        Raises:
            InvalidPath: no object can have this path.
        """
        step = check_seconds(expires_in) // 100 or 1
        return self._signed(path, -(-(int(time.time()) + expires_in) // step) * step, base_url)

    def _sign(self, path: str, expires: int, base_url: str) -> str:
        return (
            f"{base_url.rstrip('/')}{IMAGES_ROUTE}{check_path(path)}?{self._query(path, expires)}"
        )

    def sign_upload(self, path: str, *, expires_in: int, base_url: str) -> str:
        """The URL that takes an object by ``PUT`` for the next ``expires_in`` seconds."""
        query = self._query(f"{_PUT}{path}", int(time.time()) + check_seconds(expires_in))
        return f"{base_url.rstrip('/')}{UPLOADS_ROUTE}{path}?{query}"

    def _query(self, message: str, expires: int) -> str:
        # Digits, and an alphabet of which nothing has to be quoted.
        return f"expires={expires}&signature={self.signature(message, expires)}"

    def verify_upload(self, path: str, expires: str | None, signature: str | None) -> bool:
        """Whether the query parameters of a URL allow to put the object now."""
        return self.verify(f"{_PUT}{path}", expires, signature)

    def verify(self, path: str, expires: str | int | None, signature: str | None) -> bool:
        """Whether the query parameters of a URL grant access to the path now."""
        text = str(expires)
        # Digits only: int() would accept other spellings of one number.
        if signature is None or not (text.isascii() and text.isdigit() and len(text) <= 12):
            return False
        expected = self.signature(path, int(text)).encode()
        good = hmac.compare_digest(expected, signature.encode("utf-8", "surrogateescape"))
        return good and time.time() < int(text)

    def verify_url(self, url: str, base_urls: Iterable[str]) -> bool:
        """Whether the URL is ours and grants access now."""
        path = own_path(url, base_urls)
        if path is None:
            return False
        query = parse_qs(urlsplit(url).query)
        expires, signature = query.get("expires", []), query.get("signature", [])
        if len(expires) != 1 or len(signature) != 1:
            return False
        return self.verify(path, expires[0], signature[0])


def check_seconds(expires_in: int) -> int:
    """Seconds that a URL may live: S3 allows a week, so both stores do.

    Raises:
        ValueError: less than 1, or more than 7 days.
    """
    if not 1 <= expires_in <= _MAX_SECONDS:
        raise ValueError(f"a URL lives 1 to {_MAX_SECONDS} seconds, not {expires_in}")
    return expires_in


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port, for comparing.

    Raises:
        ValueError: the port is no port.
    """
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or ""), parts.port or _PORTS.get(parts.scheme)


def own_path(url: str, base_urls: Iterable[str]) -> str | None:
    """The path in a URL of the platform's own storage route, or None."""
    try:
        parts = urlsplit(url)
        if parts.username is not None or origin(url) not in map(origin, base_urls):
            return None
        for route in _ROUTES:
            if parts.path.startswith(route):
                return check_path(parts.path.removeprefix(route))
    except (ValueError, InvalidPath):
        return None
    return None
