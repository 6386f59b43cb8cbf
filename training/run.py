"""Trains on Ray: a request in, a stream of events out. Free of torch, for the task runner."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import ray
from ray.exceptions import RayTaskError

from configs.catalog import ModelEntry
from training.contracts import Event, InvalidTraining, Preparing, TrainingError, TrainingRequest
from training.driver import TrainingDriver
from training.scaling import Scaling

# How the processes of a run behave; Ray and OpenMP read this from their environment.
_ENVIRONMENT = {
    # How soon the death of a worker is noticed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # Two more processes that a run would wait for and has no use for.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


class RayTrainer:
    """Runs trainings on Ray Train.

    Args:
        catalog: base models by name.
        scaling: workers and what each of them reserves; None: what ships for this cluster.
    """

    def __init__(self, catalog: Mapping[str, ModelEntry], scaling: Scaling | None = None) -> None:
        self._catalog = catalog
        self._scaling = scaling

    async def __call__(self, request: TrainingRequest) -> AsyncGenerator[Event, None]:
        """The events of one run, `Finished` last.

        Closing the generator, or the end of this process, ends the run within one step.

        Raises:
            TrainingError: the run could not do its work.
            RayError: a process of the run was lost; the last checkpoint is where to go on.
        """
        entry = self._catalog.get(request.model)
        if entry is None:
            raise InvalidTraining(f"there is no model {request.model!r}")
        yield Preparing("start")
        driver: Any = (
            ray.remote(TrainingDriver)
            .options(num_cpus=0, runtime_env={"env_vars": _ENVIRONMENT})
            .remote([ray.put(request)], entry, self._scaling or _scaling_of_cluster())
        )
        events = driver.events.options(num_returns="streaming")
        try:
            async for event in events.remote(request.config.batch_size, request.request_id):
                yield await event
        except RayTaskError as error:
            # Ray wraps what a process raised; ours keep their class.
            if isinstance(error.cause, TrainingError):
                raise error.cause from None
            raise
        finally:
            # Its workers belong to it and go with it.
            ray.kill(driver)


def _scaling_of_cluster() -> Scaling:
    return Scaling.named("gpu" if ray.cluster_resources().get("GPU") else "cpu")
