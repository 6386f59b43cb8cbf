"""One handler for each type of task; a new type is one more line here."""

from collections.abc import Mapping

from configs.settings import Settings
from serve_app.compute.runner.handlers.base import Handler, Work
from serve_app.compute.runner.handlers.export import ExportHandler
from serve_app.compute.runner.handlers.generation import GenerationHandler
from serve_app.compute.runner.handlers.processing import ProcessingHandler
from serve_app.compute.runner.handlers.training import TrainingHandler

HANDLERS: Mapping[str, Handler] = {
    "generation": GenerationHandler(),
    "processing": ProcessingHandler(),
    "export": ExportHandler(),
    "training": TrainingHandler(),
}


def time_limit(task_type: str, settings: Settings) -> float:
    """Seconds that one attempt of a task may take in all."""
    limits = settings.training if task_type == "training" else settings.queue
    return limits.attempt_seconds


__all__ = ["HANDLERS", "Handler", "Work", "time_limit"]
