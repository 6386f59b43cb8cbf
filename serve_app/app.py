"""The one Serve application: every deployment, bound to what it needs.

Replicas, resources and autoscaling of each stand in ``serve_config.yaml``. (Annotations are not
postponed here: Serve looks at that of ``build`` to convert its arguments.)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, PositiveInt
from ray.serve import Application

from configs.catalog import get_catalog
from configs.settings import get_settings
from deployments.background_removal.server import BackgroundRemoval
from deployments.generation.server import Generation
from deployments.upscaling.server import Upscaling
from serve_app.backend.exports.projection import ExportProjection
from serve_app.backend.generations.projection import GenerationProjection
from serve_app.backend.questions.projection import CaptionProjection
from serve_app.compute.runner.capacity import QueueSpec
from serve_app.compute.runner.deployment import TaskRunner
from serve_app.compute.runner.hosted import AbandonedJobs
from serve_app.compute.runner.settlements import Observer
from serve_app.compute.training.projection import TrainingProjection
from serve_app.compute.workflows.projection import WorkflowProjection
from serve_app.core.orders import IMAGING
from serve_app.core.providers.registry import Providers, configured, settings_of
from serve_app.core.training.orders import QUEUE as TRAINING
from serve_app.gateway import Gateway
from training.run import RayTrainer

# By queue, the deployment that does its work. `serve.deployment` makes a Deployment of a class,
# which type checkers do not see.
MODELS: Mapping[str, Any] = {
    "generation": Generation,
    "upscaling": Upscaling,
    "background_removal": BackgroundRemoval,
}

# What is to be done when a task of some kind has ended; the runner knows nothing of it.
# Workflows come last: a step's result is what the others have made of its task.
OBSERVERS: Sequence[Observer] = (
    GenerationProjection(),
    ExportProjection(),
    TrainingProjection(),
    CaptionProjection(),
    WorkflowProjection(),
    AbandonedJobs(lambda: Providers(get_settings())),
)
# By queue whose work needs no model, so that each runner does it itself, how much one does at once:
# packing files, and changing pictures.
_OF_RUNNERS: Mapping[str, int] = {"export": 2, IMAGING: 2}


class Arguments(BaseModel):
    """Arguments of the application (``args`` in ``serve_config.yaml``).

    ``slots``: by queue, the units of work (images) that one replica holds at once, those waiting
    for its next batch included; of ``training``, the runs that all of the cluster holds at once.
    ``for_newcomers``: units that a replica holds beyond that, of organizations with fewer than as
    many, so that a backlog of one does not stand in front of the others.
    """

    model_config = ConfigDict(extra="forbid")

    slots: dict[str, PositiveInt]
    for_newcomers: dict[str, PositiveInt] = {}


def build(args: Arguments) -> Application:
    """Bind the deployments; the gateway is the ingress."""
    if set(args.slots) != {*MODELS, TRAINING}:
        raise ValueError(f"`slots` must name the queues {sorted([*MODELS, TRAINING])}")
    if unknown := set(args.for_newcomers) - set(MODELS):
        raise ValueError(f"`for_newcomers` names {sorted(unknown)}, no queues of models")
    handles: dict[str, Any] = {
        "generation": MODELS["generation"].bind(warm=[get_settings().models.default]),
        "upscaling": MODELS["upscaling"].bind(),
        "background_removal": MODELS["background_removal"].bind(),
    }
    queues = {
        queue: QueueSpec(deployment.name, args.slots[queue], args.for_newcomers.get(queue, 0))
        for queue, deployment in MODELS.items()
    }
    for queue, at_once in _OF_RUNNERS.items():
        handles[queue], queues[queue] = None, QueueSpec(None, at_once)
    # A run has processes of its own, which the runner starts and follows.
    handles[TRAINING], queues[TRAINING] = (
        RayTrainer(get_catalog()),
        QueueSpec(None, args.slots[TRAINING]),
    )
    # So does asking a provider, once there is a key for it.
    for provider in configured(settings := get_settings()):
        slots = settings_of(settings, provider).slots
        handles[provider], queues[provider] = None, QueueSpec(None, slots)
    runner: Any = TaskRunner
    gateway: Any = Gateway
    return gateway.bind(runner.bind(handles, queues, OBSERVERS))
