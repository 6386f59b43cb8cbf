"""One request in a replica: its stream of events, put together from the calls that serve it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from deployments.contracts import (
    Event,
    GenerationRequest,
    Pixels,
    Preview,
    Progress,
    Result,
    Started,
)
from deployments.errors import DeploymentError


class Job:
    """A request, the event loop's side of it, and what has been made of it so far.

    ``progress_seconds`` is the least time between two reports of progress; the first step and the
    last are always reported.

    ``publish`` and ``fail`` run in the worker's thread, ``events`` is read in the event loop.
    """

    def __init__(
        self,
        request: GenerationRequest,
        loop: asyncio.AbstractEventLoop,
        progress_seconds: float = 0.0,
    ) -> None:
        self.request = request
        self._progress_seconds = progress_seconds
        self.events: asyncio.Queue[Event | DeploymentError] = asyncio.Queue()
        # Set in one thread and read in another: a single attribute needs no lock.
        self.finished = False
        self._loop = loop
        self._started = False
        self._images: list[Pixels] = []
        self._fraction = 0.0
        self._progress_at = float("-inf")
        self._info: dict[str, object] = {}

    def start(self) -> None:
        """Announce that work begins; only the first call does anything."""
        if not self._started:
            self._started = True
            self._put(Started())

    def publish(self, event: Event, *, first: int, count: int) -> None:
        """Pass on an event of the call that makes images ``first .. first + count``."""
        if self.finished:
            return
        if isinstance(event, Progress):
            self._progress(event, first, count)
        elif isinstance(event, Preview):
            self._put(Preview(first + event.index, event.image))
        elif isinstance(event, Result):
            self._collect(event)

    def fail(self, error: DeploymentError) -> None:
        """End the stream with an error."""
        if not self.finished:
            self.finished = True
            self._put(error)

    def _progress(self, event: Progress, first: int, count: int) -> None:
        total = len(self.request.seeds)
        if count == total:
            whole = event
        else:
            fraction = (first + count * event.fraction) / total
            steps = event.steps
            # Steps of one image, as if all were denoised together.
            step = None if steps is None else int(fraction * steps + 1e-9)
            whole = Progress(fraction, step, steps)
        # A batch that is run again one by one starts again; its progress does not.
        if whole.fraction <= self._fraction:
            return
        # Each event costs two processes some CPU that a model on the same cores could use.
        now = time.monotonic()
        if whole.fraction < 1 and now - self._progress_at < self._progress_seconds:
            return
        self._fraction = whole.fraction
        self._progress_at = now
        self._put(whole)

    def _collect(self, part: Result) -> None:
        self._images.extend(part.images)
        self._info = _merge(self._info, part.info)
        if len(self._images) == len(self.request.seeds):
            self.finished = True
            self._put(Result(tuple(self._images), self._info))

    def _put(self, event: Event | DeploymentError) -> None:
        self._loop.call_soon_threadsafe(self.events.put_nowait, event)


def _merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, object]:
    """Facts of two calls of one request: batch sizes in order, seconds added up."""
    merged: dict[str, object] = {**first, **second}
    if "batch_sizes" in first and "batch_sizes" in second:
        merged["batch_sizes"] = [*first["batch_sizes"], *second["batch_sizes"]]
    if "seconds" in first and "seconds" in second:
        phases = {**first["seconds"], **second["seconds"]}
        merged["seconds"] = {
            phase: round(first["seconds"].get(phase, 0) + second["seconds"].get(phase, 0), 4)
            for phase in phases
        }
    return merged
