"""The Serve deployment around the background remover."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ray import serve

from configs.settings import ModelSettings, get_settings
from deployments.contracts import Event, RemoveBackgroundRequest
from deployments.model_thread import ModelThread
from deployments.requests import Requests
from telemetry.reports import Holdings, Reporter, is_replica
from telemetry.setup import configure

if TYPE_CHECKING:
    from deployments.background_removal.engine import BackgroundRemover


@serve.deployment
class BackgroundRemoval:
    """Cuts the foreground of pictures out, one at a time.

    Args:
        architecture: of the model that the setting ``models.background_onnx`` names (``u2net``,
            ``isnet``, ``birefnet``, ``ben``); unset: its file name says it.
        clean_alpha: push nearly transparent pixels to transparent and nearly opaque ones to opaque.
        stall_seconds: a picture that takes longer makes the replica unhealthy; unset: the setting
            ``queue.stall_seconds``.
    """

    def __init__(
        self,
        architecture: str | None = None,
        clean_alpha: bool = True,
        stall_seconds: float | None = None,
    ) -> None:
        self._requests = Requests("BackgroundRemoval")
        self._reporter = Reporter(self._holdings, self.check_health)
        settings = get_settings()
        if is_replica():
            configure(settings, "background_removal")
        self._thread = ModelThread(
            lambda: _load(settings.models, architecture, clean_alpha=clean_alpha),
            name="background-removal",
            stall_seconds=stall_seconds or settings.queue.stall_seconds,
        )
        self._thread.preload()
        self._reporter.start()

    async def __call__(self, request: RemoveBackgroundRequest) -> AsyncIterator[Event]:
        """``Started``, ``Progress``, ``Result``: one RGBA picture of the same size.

        Raises:
            InvalidInput: the array is no picture.
            ModelUnavailable: the model is missing or cannot be opened.
        """
        work = self._thread.stream(lambda remover: remover.remove(request.image))
        async with aclosing(self._requests.follow(request, work)) as events:
            async for event in events:
                yield event

    def _holdings(self) -> Holdings:
        loaded = self._thread.model
        return Holdings(self._requests.ids, models=(loaded.name,) if loaded else ())

    def __del__(self) -> None:
        """Serve calls this when the replica is to go."""
        self._reporter.end()

    def check_health(self) -> None:
        """Unhealthy when a picture hangs."""
        self._thread.check_health()


def _load(
    models: ModelSettings, architecture: str | None, *, clean_alpha: bool
) -> BackgroundRemover:
    import onnxruntime  # noqa: PLC0415

    from deployments.background_removal.engine import BackgroundRemover  # noqa: PLC0415

    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return BackgroundRemover(
        models.background_onnx,
        architecture=architecture,
        threads=models.threads or len(os.sched_getaffinity(0)),
        cuda=has_cuda if models.device == "auto" else models.device == "cuda",
        clean_alpha=clean_alpha,
    )
