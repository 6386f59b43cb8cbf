"""One handler for each type of task; a new type is one more line here."""

from collections.abc import Mapping

from serve_app.compute.runner.handlers.base import Handler, Work
from serve_app.compute.runner.handlers.export import ExportHandler
from serve_app.compute.runner.handlers.generation import GenerationHandler
from serve_app.compute.runner.handlers.processing import ProcessingHandler

HANDLERS: Mapping[str, Handler] = {
    "generation": GenerationHandler(),
    "processing": ProcessingHandler(),
    "export": ExportHandler(),
}

__all__ = ["HANDLERS", "Handler", "Work"]
