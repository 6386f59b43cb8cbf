"""What a handler of a task type gets, and what it gives back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from opentelemetry.trace import SpanKind

from db.repositories.queue import ClaimedTask
from db.timeline import Timeline
from deployments.contracts import Pixels, Preview, Progress, Result, Started
from serve_app.compute.runner.retry import Stalled
from serve_app.core.adapters import adapter_folder
from serve_app.core.images import OutputFormat, decode_pixels, encode_image
from serve_app.core.resources import Resources
from telemetry import context
from telemetry.traces import TRACER

EventT = TypeVar("EventT")

_SUFFIXES: Mapping[OutputFormat, str] = {"jpeg": "jpg", "png": "png", "webp": "webp"}


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt of a task.

    Attributes:
        task: as it was claimed.
        resources: of the process.
        handle: of the deployment that serves the task's queue (a `DeploymentHandle`), or what else
            does its work, such as a trainer; None: the runner does it itself.
        report: takes progress, 0 to 1.
        show: takes a preview of an image, by its index.
        timeline: of the attempt; whoever does something that may take long enters its phase.
    """

    task: ClaimedTask
    resources: Resources
    handle: Any
    report: Callable[[float], None]
    show: Callable[[int, Pixels], None]
    timeline: Timeline

    async def load(self, reference: Mapping[str, str], *, keep_alpha: bool = False) -> Pixels:
        """The pixels of a picture in storage; on white, unless their alpha is kept."""
        self.timeline.enter("fetch")
        data = await self.resources.store.get(reference["path"])
        media = self.resources.settings.media
        return await asyncio.to_thread(decode_pixels, data, media, keep_alpha=keep_alpha)

    async def infer(self, request: Any, *, adapters: str = "") -> Result:
        """Send a request to a replica, one that has these adapters if there is one with room, and
        follow its stream to the end.

        Raises:
            Stalled: work had begun, and then there was no event for
                ``SARTIQ_QUEUE_STALL_SECONDS``.
            DeploymentError: as the deployment raised it, wrapped by Ray.
        """
        assert self.handle is not None, "this queue has no deployment"
        stall = self.resources.settings.queue.stall_seconds
        self.timeline.enter("batch")
        handle = self.handle.options(stream=True, multiplexed_model_id=adapters)
        with TRACER.start_as_current_span(f"call {self.task.queue}", kind=SpanKind.CLIENT):
            kept = context.origin() or {}
            kept["organization"] = str(self.task.organization_id)
            return await self._follow(handle.remote(replace(request, origin=kept)), stall)

    async def _follow(self, stream: Any, stall: float) -> Result:
        try:
            async for event in with_timeout(stream, stall):
                if isinstance(event, Progress):
                    self.report(event.fraction)
                elif isinstance(event, Preview):
                    self.show(event.index, event.image)
                elif isinstance(event, Started):
                    self.timeline.enter("compute")
                elif isinstance(event, Result):
                    self.timeline.divide(_seconds(event))
                    return event
        finally:
            # Ends the work in the replica when we leave early, cancelled or timed out.
            stream.cancel()
        raise Stalled("The model ended without a result")

    async def store(
        self, index: int, pixels: Pixels, output_format: OutputFormat, recipe: dict[str, Any]
    ) -> dict[str, Any]:
        """Encode an image with its recipe and store it; what the task's output says about it.

        The name holds the attempt, so that an attempt whose lease was lost can neither replace nor
        remove what its successor stores.
        """
        self.timeline.enter("store")
        data = await asyncio.to_thread(encode_image, pixels, output_format, recipe)
        name = f"{self.task.attempt}-{index}.{_SUFFIXES[output_format]}"
        stored = await self.resources.store.put(f"{self.folder}/{name}", data)
        height, width = pixels.shape[:2]
        return {
            "path": stored.path,
            "width": width,
            "height": height,
            "seed": recipe.get("seed"),
            "content_type": stored.content_type,
            "size": stored.size,
            "sha256": hashlib.sha256(data).hexdigest(),
        }

    async def discard(self) -> None:
        """Remove what this attempt has stored."""
        await self._remove(lambda attempt: attempt == self.task.attempt)

    async def discard_earlier(self) -> None:
        """Remove what attempts before this one stored and did not live to settle."""
        if self.task.attempt > 1:
            await self._remove(lambda attempt: attempt < self.task.attempt)

    async def _remove(self, is_removed: Callable[[int], bool]) -> None:
        for folder in (self.folder, self.exports_folder, self.loras_folder):
            async for stored in self.resources.store.list(folder):
                attempt = stored.path.removeprefix(f"{folder}/").partition("-")[0]
                if attempt.isdecimal() and is_removed(int(attempt)):
                    await self.resources.store.delete(stored.path)

    @property
    def folder(self) -> str:
        """Where the task's pictures are stored."""
        return f"outputs/{self.task.organization_id.hex}/{self.task.id}"

    @property
    def exports_folder(self) -> str:
        """Where the task's archives are stored."""
        return f"exports/{self.task.organization_id.hex}/{self.task.id}"

    @property
    def loras_folder(self) -> str:
        """Where the weights that the task trains are stored."""
        return adapter_folder(self.task.organization_id, self.task.id)


def _seconds(result: Result) -> Mapping[str, float]:
    """How long the parts of the model's work took, where it says so."""
    seconds = result.info.get("seconds")
    return seconds if isinstance(seconds, dict) else {}


class Handler(Protocol):
    """Carries out one type of task."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Do the work; the task's output.

        Raises:
            DeploymentError, TrainingError, SartiqError, RayError: classified by :mod:`.retry`.
        """


async def with_timeout(stream: AsyncIterable[EventT], seconds: float) -> AsyncIterator[EventT]:
    """The events of a stream, as long as none takes longer than ``seconds`` to come.

    Until work begins there is no limit but the attempt's: the request may wait for the batch before
    its own, and if that one hangs, the replica's health check ends it.
    """
    events = aiter(stream)
    limit: float | None = None
    while True:
        try:
            async with asyncio.timeout(limit):
                event = await anext(events)
        except TimeoutError:
            raise Stalled(f"The model gave no sign of life for {seconds:g} s") from None
        except StopAsyncIteration:
            return
        limit = seconds
        yield event
