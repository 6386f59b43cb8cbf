"""The requests that are inside a replica: which they are, their lines in the log, their spans."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from opentelemetry.trace import SpanKind, StatusCode

from deployments.contracts import Event, Origin, Result, Started
from telemetry.context import parent
from telemetry.logs import log
from telemetry.traces import TRACER

logger = logging.getLogger(__name__)


class Request(Protocol):
    """What all requests have."""

    @property
    def request_id(self) -> str:
        """Names it."""

    @property
    def origin(self) -> Origin:
        """What it follows from."""


class Requests:
    """Those of one replica.

    Args:
        name: of the deployment.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._present: list[str] = []

    @property
    def ids(self) -> tuple[str, ...]:
        """Of those that have not ended; may be read in any thread."""
        return tuple(self._present)

    async def follow(
        self, request: Request, events: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        """The events of a request, to their end or until nobody wants them any more."""
        kept = request.origin
        about = {
            "task_id": request.request_id,
            "request_id": kept.get("request_id"),
            "organization": kept.get("organization"),
        }
        # Not the current span: a generator that is closed may be closed by another task.
        span = TRACER.start_span(self._name, context=parent(kept), kind=SpanKind.SERVER)
        span.set_attribute("sartiq.task_id", request.request_id)
        self._present.append(request.request_id)
        began, outcome = time.perf_counter(), "left"
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Started):
                        span.add_event("started")
                    elif isinstance(event, Result):
                        outcome = "done"
                        span.set_attribute("sartiq.seconds", str(event.info.get("seconds", "")))
                    yield event
        except Exception as error:
            outcome = type(error).__name__
            span.set_status(StatusCode.ERROR, str(error))
            raise
        finally:
            self._present.remove(request.request_id)
            span.end()
            seconds = round(time.perf_counter() - began, 4)
            log(logger, logging.INFO, "served", **about, outcome=outcome, seconds=seconds)
