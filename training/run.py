"""Trains on Ray: a request in, a stream of events out. Free of torch, for the task runner."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import ray
from ray.exceptions import RayTaskError

from configs.catalog import ModelEntry
from training.contracts import Event, InvalidTraining, Preparing, TrainingError, TrainingRequest
from training.driver import ENVIRONMENT, TrainingDriver
from training.scaling import Scaling


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
        scaling = (self._scaling or _scaling_of_cluster()).limited_to(request.config.batch_size)
        driver: Any = (
            ray.remote(TrainingDriver)
            .options(runtime_env={"env_vars": ENVIRONMENT}, **_reserved_by_driver(scaling))
            .remote([ray.put(request)], entry, scaling)
        )
        events = driver.events.options(num_returns="streaming")
        try:
            async for event in events.remote(request.request_id):
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


def _reserved_by_driver(scaling: Scaling) -> dict[str, Any]:
    """Nothing, or what a worker reserves if it is the only one."""
    if scaling.workers > 1:
        return {"num_cpus": 0}
    others = dict(scaling.resources)
    return {
        "num_cpus": others.pop("CPU", 0),
        "num_gpus": others.pop("GPU", 0),
        "memory": others.pop("memory", None),
        "resources": others,
    }
