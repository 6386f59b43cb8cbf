"""The Serve deployment around the upscaler."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ray import serve

from configs.settings import get_settings
from deployments.contracts import Event, UpscaleRequest
from deployments.model_thread import ModelThread
from deployments.requests import Requests
from deployments.upscaling.models import resolve
from telemetry.reports import Holdings, Reporter, is_replica
from telemetry.setup import configure

if TYPE_CHECKING:
    from deployments.upscaling.engine import Upscaler


@serve.deployment
class Upscaling:
    """Enlarges pictures, one at a time.

    Args:
        model: used where a request names none; unset: the setting ``models.upscaler``.
        stall_seconds: a tile that takes longer makes the replica unhealthy; unset: the setting
            ``queue.stall_seconds``.

    Raises:
        ModelUnavailable: there is no such model.
    """

    def __init__(self, model: str | None = None, stall_seconds: float | None = None) -> None:
        self._requests = Requests("Upscaling")
        self._reporter = Reporter(self._holdings, self.check_health)
        settings = get_settings()
        if is_replica():
            configure(settings, "upscaling")
        self._default = resolve(model or settings.models.upscaler).name
        self._thread = ModelThread(
            lambda: Upscalers(settings.models.device, settings.models.threads, self._default),
            name="upscaling",
            stall_seconds=stall_seconds or settings.queue.stall_seconds,
        )
        self._thread.preload()
        self._reporter.start()

    async def __call__(self, request: UpscaleRequest) -> AsyncIterator[Event]:
        """``Started``, ``Progress`` after each tile, ``Result``.

        Raises:
            InvalidInput: the scale or the array is none that can be enlarged.
            ModelUnavailable: there is no such model here.
        """

        def work(upscalers: Upscalers) -> Iterator[Event]:
            upscaler = upscalers.get(request.model or self._default)
            return upscaler.upscale(request.image, request.scale)

        async with aclosing(self._requests.follow(request, self._thread.stream(work))) as events:
            async for event in events:
                yield event

    def _holdings(self) -> Holdings:
        loaded = self._thread.model
        return Holdings(self._requests.ids, models=loaded.names if loaded else ())

    def __del__(self) -> None:
        """Serve calls this when the replica is to go."""
        self._reporter.end()

    def check_health(self) -> None:
        """Unhealthy when a tile hangs."""
        self._thread.check_health()


class Upscalers:
    """The upscalers of this replica, each loaded when it is first asked for.

    Built on the model's thread: torch, imported here, takes seconds.
    """

    def __init__(self, device: str, threads: int, first: str) -> None:
        import torch  # noqa: PLC0415

        # Ray sets OMP_NUM_THREADS from `num_cpus`: a replica that reserves a fraction gets one.
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        cuda = torch.cuda.is_available() if device == "auto" else device == "cuda"
        self._device = torch.device("cuda" if cuda else "cpu")
        self._loaded: dict[str, Upscaler] = {}
        self.get(first)

    @property
    def names(self) -> tuple[str, ...]:
        """Models in memory."""
        return tuple(self._loaded)

    def get(self, name: str) -> Upscaler:
        """The upscaler of a model.

        Raises:
            ModelUnavailable: no such model, or its weights are not installed.
        """
        from deployments.upscaling.engine import Upscaler  # noqa: PLC0415

        if name not in self._loaded:
            self._loaded[name] = Upscaler.load(resolve(name), self._device)
        return self._loaded[name]
