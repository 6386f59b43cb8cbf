"""The longest that a request may take, unless it is answered by a stream of events."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.core.errors import Unavailable


class Deadline:
    """Give a request up that takes too long, such as one whose body never comes.

    Serve's own limit knows no difference between such a request and a stream, so it allows as much
    as a stream may take.

    Args:
        app: what answers.
        seconds: that it has.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer in time, or answer 503.

        Raises:
            TimeoutError: it was in the middle of it: only closing the connection tells the client.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watching_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                kind = Headers(raw=message["headers"]).get("content-type", "")
                if kind.startswith("text/event-stream"):
                    timeout.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self.seconds) as timeout:
                await self.app(scope, receive, watching_send)
        except TimeoutError:
            if started or not timeout.expired():
                raise
            late = Unavailable(f"The request took longer than {self.seconds:g} seconds")
            await JSONResponse(late.body(), late.status_code)(scope, receive, send)
