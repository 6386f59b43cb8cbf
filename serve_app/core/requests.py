"""Around every request: its id, its line in the log, and how long it took."""

from __future__ import annotations

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry import context
from telemetry.logs import log
from telemetry.metrics import HTTP_SECONDS

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
# What a client may choose: it ends up in logs, headers and the database.
_ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestTrail:
    """Gives each request an id, the client's own where it sent a good one, and answers it.

    Reads that went well are worth a line only at the level of debugging.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        named = Headers(scope=scope).get(HEADER, "")
        request_id = named if _ACCEPTED.fullmatch(named) else uuid4().hex
        status, began = 500, time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with context.known(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            finally:
                _tell(scope, status, time.perf_counter() - began)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    method, operation = scope["method"], _operation(scope)
    HTTP_SECONDS.observe(seconds, operation=operation, method=method, status=str(status))
    went_well = status < 400 and method in _READS
    log(
        logger,
        logging.DEBUG if went_well else logging.INFO,
        "request",
        method=method,
        path=scope["path"],
        operation=operation,
        status=status,
        seconds=round(seconds, 4),
    )


def _operation(scope: Scope) -> str:
    """Id of the operation: a path would make a time series of every object."""
    operation: str | None = getattr(scope.get("route"), "operation_id", None)
    return operation or "other"
