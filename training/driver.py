"""The actor of one run: it starts Ray Train, and passes on what the first worker sends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any, Final

import ray
from ray.actor import ActorHandle
from ray.exceptions import WorkerCrashedError

from configs.catalog import ModelEntry
from training.contracts import Event, TrainingError, TrainingRequest
from training.scaling import Scaling
from training.worker import Assignment, work

# Events on their way; a consumer that stalls stops the run, and does not fill the memory.
_WAITING = 16
# What Ray Train, OpenMP and cuBLAS read when they are loaded.
_WORKER_ENVIRONMENT: Final = {
    # Threads sleep while they wait for each other: on a busy machine, spinning ones hold each
    # other up.
    "OMP_WAIT_POLICY": "passive",
    # Without it cuBLAS may add in another order the next time.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
ENVIRONMENT: Final = _WORKER_ENVIRONMENT | {
    # How soon the death of a worker is noticed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # Two more processes that a run would wait for and has no use for.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


class TrainingDriver:
    """Owns the controller of Ray Train, and so the workers: they end when it does.

    A lone worker needs neither controller nor process group. Ray Train runs it in this process
    (its local mode), which saves four processes, and most of the time before the first step.

    Args:
        request: what to train: ``[reference]``, which stays one.
        entry: the base model.
        scaling: workers, and what each reserves.
    """

    def __init__(
        self, request: list[ray.ObjectRef[TrainingRequest]], entry: ModelEntry, scaling: Scaling
    ) -> None:
        self._request, self._entry, self._scaling = request, entry, scaling
        self._queue: asyncio.Queue[Event] = asyncio.Queue(_WAITING)
        self._error: TrainingError | None = None

    async def put(self, event: Event) -> None:
        """Take an event of the first worker."""
        await self._queue.put(event)

    async def fail(self, error: TrainingError) -> None:
        """Take the reason why a worker ends; the first one counts."""
        self._error = self._error or error

    async def events(self, name: str) -> AsyncGenerator[Event, None]:
        """Run, and yield what happens; ``name`` is the run's in Ray's dashboard.

        Raises:
            TrainingError: a worker said so.
            WorkerCrashedError: a worker ended without a word.
        """
        driver = ray.get_runtime_context().current_actor
        fit = asyncio.create_task(asyncio.to_thread(self._fit, name, driver))
        while not (fit.done() and self._queue.empty()):
            event = asyncio.create_task(self._queue.get())
            await asyncio.wait((fit, event), return_when=asyncio.FIRST_COMPLETED)
            if event.done():
                yield event.result()
            else:
                event.cancel()
        if self._error is not None:
            raise self._error
        if (error := fit.exception()) is not None:
            raise WorkerCrashedError from error

    def _fit(self, name: str, driver: ActorHandle[Any]) -> None:
        # Late, for whoever only names this class: Ray Train loads torch.
        from fsspec.implementations.memory import MemoryFileSystem  # noqa: PLC0415
        from pyarrow.fs import FSSpecHandler, PyFileSystem  # noqa: PLC0415
        from ray import train  # noqa: PLC0415
        from ray.train.torch import TorchTrainer  # noqa: PLC0415

        scaling, workers = self._scaling, self._scaling.workers
        assignment = Assignment(
            request=self._request[0],
            entry=self._entry,
            driver=driver,
            device="cuda" if scaling.on_gpu else "cpu",
            threads=scaling.threads or max(1, (os.cpu_count() or 1) // workers),
        )
        trainer = TorchTrainer(
            work,
            train_loop_config={"assignment": assignment},
            scaling_config=train.ScalingConfig(
                num_workers=workers if workers > 1 else 0,
                use_gpu=scaling.on_gpu,
                resources_per_worker=dict(scaling.resources),
            ),
            # Nothing is stored there: checkpoints go out as events.
            run_config=train.RunConfig(
                name=name,
                storage_path="/training",
                storage_filesystem=PyFileSystem(FSSpecHandler(MemoryFileSystem())),
                worker_runtime_env={"env_vars": _WORKER_ENVIRONMENT},
            ),
        )
        trainer.fit()
