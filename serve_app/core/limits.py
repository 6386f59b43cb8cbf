"""A bound on request bodies, kept while they are read and before anything parses them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The largest JSON that any request needs has long prompts and a few URLs.
JSON_BYTES = 1024 * 1024


class BodyLimit:
    """Refuse a request whose body is too long, declared or sent.

    Args:
        app: what reads the body.
        max_form_bytes: of a multipart form and of a ``PUT``, which carries a file: both are read
            onto the disk. Other bodies are held in memory and may have ``JSON_BYTES``.
        larger_forms: by the end of a path, of the forms that are sent there.
    """

    def __init__(
        self, app: ASGIApp, max_form_bytes: int, larger_forms: Mapping[str, int] | None = None
    ) -> None:
        self.app = app
        self.max_form_bytes = max_form_bytes
        self.larger_forms = larger_forms or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as the application reads it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._limit(scope, headers)
        declared = headers.get("content-length", "0")
        too_long = declared.isdecimal() and int(declared[:20]) > limit
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if too_long or received > limit:
                # Raised where the body is read; FastAPI lets only this class through as it is.
                raise HTTPException(413, f"The request is too large: at most {limit:,} bytes")
            return message

        await self.app(scope, counting, send)

    def _limit(self, scope: Scope, headers: Headers) -> int:
        if headers.get("content-type", "").lower().startswith("multipart/"):
            larger = (n for path, n in self.larger_forms.items() if scope["path"].endswith(path))
            return next(larger, self.max_form_bytes)
        return self.max_form_bytes if scope["method"] == "PUT" else JSON_BYTES
