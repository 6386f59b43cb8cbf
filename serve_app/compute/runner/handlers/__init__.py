"""One handler for each type of task; a new type is one more line here."""

from collections.abc import Collection, Mapping

from configs.settings import Settings
from db.repositories.queue import ClaimedTask
from serve_app.compute.runner.handlers.base import Handler, Work
from serve_app.compute.runner.handlers.export import ExportHandler
from serve_app.compute.runner.handlers.generation import GenerationHandler
from serve_app.compute.runner.handlers.hosted import HOSTED
from serve_app.compute.runner.handlers.processing import ProcessingHandler
from serve_app.compute.runner.handlers.training import TrainingHandler

HANDLERS: Mapping[str, Handler] = {
    "generation": GenerationHandler(),
    "processing": ProcessingHandler(),
    "export": ExportHandler(),
    "training": TrainingHandler(),
}


def handler_of(task: ClaimedTask, providers: Collection[str]) -> Handler:
    """Who carries a task out. The queue of a hosted provider has its name."""
    return (HOSTED if task.queue in providers else HANDLERS)[task.type]


def time_limit(task_type: str, settings: Settings) -> float:
    """Seconds that one attempt of a task may take in all."""
    limits = settings.training if task_type == "training" else settings.queue
    return limits.attempt_seconds


__all__ = ["HANDLERS", "Handler", "Work", "handler_of", "time_limit"]
