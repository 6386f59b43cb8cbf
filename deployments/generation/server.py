"""The Serve deployment: a queue of requests, one worker thread, streams of events."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ray import serve

from configs.catalog import Catalog, ModelEntry, get_catalog
from configs.settings import AttentionBackend, get_settings
from deployments.contracts import Event, GenerationRequest, Result
from deployments.errors import DeploymentError, InferenceFailed, InvalidInput
from deployments.generation.admission import check
from deployments.generation.batching import Among, Batcher, Share
from deployments.generation.contracts import NO_PAUSE, Engine, EngineFactory, Pause
from deployments.generation.jobs import Job
from deployments.generation.lora_cache import LoraCache
from deployments.generation.models import LoadedModels
from deployments.generation.turns import Turn
from deployments.priority import yield_to_servers
from deployments.registry import import_object
from deployments.requests import Requests
from telemetry.metrics import IMAGES, MODEL_LOADS, STEP_SECONDS
from telemetry.reports import Holdings, Reporter
from telemetry.setup import configure

logger = logging.getLogger(__name__)

ENGINE = "deployments.generation.engine:GenerationEngine"
# From the end of a call of many, and from one task to the next, until no more are expected: a few
# times what it takes to settle the tasks of the call and to claim the next.
_REFILL_SECONDS = 0.05
# For which the worker's thread waits for the event loop; when it ends there is no answer.
_LOOP_SECONDS = 10.0
# Sets of LoRAs that a replica is known for.
_ANNOUNCED = 32


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """What a replica holds.

    Attributes:
        loaded: models in memory; ``loading``: the one that is being read, if any.
        waiting: requests with images that no call has begun; ``running``: whether a call runs.
        slots: requests that it may hold at once.
        adapters: digests of the LoRAs in memory, and
        adapter_bytes: how much they take.
    """

    loaded: tuple[str, ...]
    loading: str | None
    waiting: int
    running: bool
    slots: int
    adapters: tuple[str, ...]
    adapter_bytes: int


class GenerationServer:
    """Runs the catalog's models, one pipeline call at a time.

    Whatever has queued up while a call ran forms the next one, with what comes right after a call
    of more than half of the largest batch; nothing waits while it is idle. A call that is part of
    an organization's backlog stands still after a step for requests of others; see `Turn`.
    Models are loaded on first use. The constructor returns at once: torch is imported, and ``warm``
    models are loaded, in the worker's thread.

    Args:
        warm: models to load at start-up, in the background.
        max_models: models in memory at once.
        slots: requests to hold at once; ``max_ongoing_requests`` of the deployment.
        adapter_bytes: of LoRAs in memory at once. Unset: of the settings.
        progress_seconds: the least time between two reports of a request's progress.
        stall_seconds: a call that makes no step for this long is given up as hung: the health check
            fails, and Serve replaces the replica. Unset: of the settings, as the next three.
        device: ``auto``, ``cpu`` or ``cuda``.
        attention: kernels on CUDA.
        threads: of torch; 0 for as many as the process may use cores.
        catalog: the models; unset: the installation's.
        engine: loads an entry; a class, or ``"module:Class"`` to import it in the worker's thread.
    """

    def __init__(
        self,
        *,
        warm: Sequence[str] = (),
        max_models: int = 2,
        slots: int = 16,
        adapter_bytes: int | None = None,
        progress_seconds: float = 0.1,
        stall_seconds: float | None = None,
        device: str | None = None,
        attention: AttentionBackend | None = None,
        threads: int | None = None,
        catalog: Catalog | None = None,
        engine: EngineFactory | str = ENGINE,
    ) -> None:
        settings = get_settings()
        self._catalog = catalog if catalog is not None else get_catalog()
        self._stall_seconds = stall_seconds or settings.queue.stall_seconds
        self._device = device or settings.models.device
        self._attention = attention or settings.models.attention
        self._threads = settings.models.threads if threads is None else threads
        self._factory = engine
        self._slots = slots
        self._progress_seconds = progress_seconds
        self._models = LoadedModels(self._load, max_models)
        self._requests = Requests("Generation")
        self._loras = LoraCache(adapter_bytes or settings.models.adapter_bytes)
        self._batcher: Batcher[Job] = Batcher()
        self._arrived = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._turn: Turn | None = None
        self._capacity = {name: entry.limits.max_batch for name, entry in self._catalog.items()}
        # Monotonic time of the last sign of life of the running call.
        self._alive_at: float | None = None
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix="generation", initializer=yield_to_servers
        )
        self._warm = tuple(self._entry(name).name for name in warm)
        self._loading = [self._executor.submit(self._load_ahead, name) for name in self._warm]

    async def __call__(self, request: GenerationRequest) -> AsyncIterator[Event]:
        """Generate: ``Started``, then ``Progress`` and ``Preview``, and last one ``Result``.

        Closing the stream, or cancelling its task, stops the work within one denoising step.

        Raises:
            InvalidInput: the request does not fit its model.
            AdapterUnavailable: the weights of a LoRA were lost on their way.
            ModelUnavailable: the model cannot be loaded here.
            OutOfMemory, InferenceFailed: as the engine raises them.
        """
        async with aclosing(self._requests.follow(request, self._answer(request))) as events:
            async for event in events:
                yield event

    async def _answer(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        entry = self._entry(request.model)
        request = replace(request, model=entry.name)
        check(request, entry)
        request = await self._with_adapters(request)
        job = Job(request, asyncio.get_running_loop(), self._progress_seconds)
        self._batcher.add(job, request)
        self._look()
        self._arrived.set()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            while True:
                event = await job.events.get()
                if isinstance(event, DeploymentError):
                    raise event
                yield event
                if isinstance(event, Result):
                    return
        finally:
            job.finished = True
            self._batcher.discard(job)
            self._look()

    async def status(self) -> ReplicaStatus:
        """What this replica holds now."""
        return ReplicaStatus(
            loaded=self._models.names,
            loading=self._models.loading,
            waiting=len(self._batcher),
            running=self._alive_at is not None,
            slots=self._slots,
            adapters=self._loras.digests,
            adapter_bytes=self._loras.nbytes,
        )

    def holdings(self) -> Holdings:
        """What this replica reports of itself; called in any thread."""
        return Holdings(
            tasks=self._requests.ids,
            models=self._models.names,
            loading=self._models.loading,
            loras=self._loras.digests,
        )

    async def models(self) -> list[str]:
        """The models in memory."""
        return list(self._models.names)

    async def ready(self) -> bool:
        """Whether the models of ``warm`` are in memory."""
        return set(self._warm) <= set(self._models.names)

    async def warmed(self) -> None:
        """Return when the models of ``warm`` are in memory, or have turned out not to load."""
        await asyncio.gather(*map(asyncio.wrap_future, self._loading))

    def check_health(self) -> None:
        """Called by Serve, which replaces the replica when this raises.

        Raises:
            RuntimeError: the running call has made no step for ``stall_seconds``.
        """
        alive_at = self._alive_at
        if alive_at is None:
            return
        silent = time.monotonic() - alive_at
        if silent > self._stall_seconds:
            raise RuntimeError(f"the model has made no step for {silent:.0f} s")

    def close(self) -> None:
        """Give the worker's thread up, once the running call ends."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _entry(self, name: str) -> ModelEntry:
        try:
            return self._catalog.resolve(name)
        except KeyError as error:
            raise InvalidInput(f"unknown model {name!r}") from error

    async def _with_adapters(self, request: GenerationRequest) -> GenerationRequest:
        """The request with its LoRAs in memory, so that no call ever waits for a transfer."""
        held = await asyncio.gather(*(self._loras.get(request.model, one) for one in request.loras))
        pairs = zip(request.loras, held, strict=True)
        return replace(request, loras=tuple(replace(lora, data=one) for lora, one in pairs))

    async def _work(self) -> None:
        """Run calls until nothing waits."""
        loop = asyncio.get_running_loop()
        while shares := self._batcher.next(self._capacity):
            turn = self._turn = Turn([share.request for share in shares])
            self._look()
            pause = Pause(turn.gives_way, partial(self._give_way, turn, loop))
            await loop.run_in_executor(self._executor, self._serve, shares, pause)
            self._turn = None
            self._forget(shares)
            largest = self._capacity[shares[0].request.model]
            if 2 * sum(len(share.request.seeds) for share in shares) > largest:
                await self._refill(largest)

    def _look(self) -> None:
        """Have the running call know of who waits."""
        if self._turn is not None:
            self._turn.look(self._batcher.requests)

    def _forget(self, shares: list[Share[Job]]) -> None:
        """What has ended early, though images of it were still to be made."""
        for share in shares:
            if share.job.finished:
                self._batcher.discard(share.job)

    async def _refill(self, images: int, among: Among = lambda _: True) -> None:
        """Wait for what takes the place of a call of many, while more of it keeps coming.

        Little waits here while a call runs, for nobody can overtake what does: the queue hands the
        next tasks over when those of the call are done.
        """
        while self._batcher.images(among) < images:
            self._arrived.clear()
            try:
                async with asyncio.timeout(_REFILL_SECONDS):
                    await self._arrived.wait()
            except TimeoutError:
                return

    async def _overtaking(self, turn: Turn) -> list[Share[Job]]:
        """The call that passes the running one: of the newcomer that has waited longest and of all
        that come with it."""
        await self._refill(self._capacity[turn.requests[0].model], turn.lets_pass)
        shares = self._batcher.next(self._capacity, turn.lets_pass)
        self._look()
        return shares

    def _give_way(self, turn: Turn, loop: asyncio.AbstractEventLoop) -> None:
        """Serve newcomers between two steps of the running call, in the worker's thread."""
        began = time.monotonic()
        try:
            overtaking = asyncio.run_coroutine_threadsafe(self._overtaking(turn), loop)
            if shares := overtaking.result(_LOOP_SECONDS):
                self._serve(shares, NO_PAUSE)
                loop.call_soon_threadsafe(self._forget, shares)
        except (TimeoutError, RuntimeError):
            logger.exception("the event loop has ended, or hangs")
        turn.paused += time.monotonic() - began
        self._alive_at = time.monotonic()

    def _serve(self, shares: list[Share[Job]], pause: Pause) -> None:
        """One call, in the worker's thread. A failure that others share is tried one by one."""
        shares = [share for share in shares if not share.job.finished]
        if not shares:
            return
        for share in shares:
            share.job.start()
        error = self._attempt(shares, pause)
        if error is None:
            return
        if len(shares) == 1:
            shares[0].job.fail(error)
            return
        for share in shares:
            if not share.job.finished and (own := self._attempt([share], pause)) is not None:
                share.job.fail(own)

    def _attempt(self, shares: list[Share[Job]], pause: Pause) -> DeploymentError | None:
        def emit(index: int, event: Event) -> None:
            self._alive_at = time.monotonic()
            share = shares[index]
            if isinstance(event, Result):
                _count(event, first=index == 0)
            share.job.publish(event, first=share.first, count=len(share.request.seeds))

        def should_stop(index: int) -> bool:
            return shares[index].job.finished

        try:
            engine = self._models.get(self._entry(shares[0].request.model))
            self._alive_at = time.monotonic()
            engine.run([share.request for share in shares], emit, should_stop, pause)
        except DeploymentError as error:
            return error
        except Exception as error:  # the thread must live, and the stream must end
            logger.exception("engine of model %s", shares[0].request.model)
            return InferenceFailed(f"{type(error).__name__}: {error}")
        finally:
            self._alive_at = None
        return None

    def _load(self, entry: ModelEntry) -> Engine:
        import torch  # noqa: PLC0415  here is the worker's thread

        # Ray sets OMP_NUM_THREADS from `num_cpus`: a replica that reserves a fraction gets one.
        torch.set_num_threads(self._threads or len(os.sched_getaffinity(0)))
        target = self._factory
        factory: EngineFactory
        factory = import_object(target) if isinstance(target, str) else target
        started = time.monotonic()
        try:
            engine = factory(entry, device=self._device, attention=self._attention)
        except Exception:
            MODEL_LOADS.add(model=entry.name, outcome="failed")
            raise
        MODEL_LOADS.add(model=entry.name, outcome="loaded")
        logger.info("model %s loaded in %.1f s", entry.name, time.monotonic() - started)
        return engine

    def _load_ahead(self, name: str) -> None:
        try:
            self._models.get(self._catalog[name])
        except Exception:  # requests for it will be told why
            logger.exception("model %s could not be loaded ahead", name)


def _count(result: Result, *, first: bool) -> None:
    """Count the images of a share; of its call, whose facts all of its shares have, once."""
    info: dict[str, Any] = result.info
    model = str(info.get("model"))
    IMAGES.add(len(result.images), model=model)
    steps, seconds = info.get("steps"), info.get("seconds")
    if first and steps and isinstance(seconds, dict):
        STEP_SECONDS.observe(seconds.get("denoise", 0.0) / steps, model=model)


class GenerationReplica(GenerationServer):
    """As Serve constructs it: a replica counts as running once its models are loaded, and requests
    with LoRAs go to the replica that has had the same ones (decision 10)."""

    async def __init__(self, **options: Any) -> None:  # type: ignore[misc]  # awaited by Serve
        self._reporter = Reporter(self.holdings, self.check_health)
        configure(get_settings(), "generation")
        super().__init__(**options)
        self._reporter.start()
        await self.warmed()

    def __del__(self) -> None:
        """Serve calls this when the replica is to go."""
        self._reporter.end()

    async def __call__(self, request: GenerationRequest) -> AsyncIterator[Event]:
        """As :meth:`GenerationServer.__call__`."""
        if request.adapters:
            await self._announce(request.adapters)
        async for event in super().__call__(request):
            yield event

    @serve.multiplexed(max_num_models_per_replica=_ANNOUNCED)
    async def _announce(self, adapters: str) -> str:
        """Tell Serve's router; loading and letting go is the cache's business, by bytes."""
        return adapters


Generation = serve.deployment(name="Generation")(GenerationReplica)
