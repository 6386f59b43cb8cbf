"""How much work a task is, in units that tasks of its kind share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_PIXELS: Final = 1024 * 1024
# Of a picture of which nothing is known.
_SIDE: Final = 512


@dataclass(frozen=True, slots=True)
class Work:
    """``units`` of work, of a ``kind`` whose tasks take as long for each unit."""

    kind: str
    units: float


def work_of(task_type: str, config: Mapping[str, Any]) -> Work:
    """The work of a task.

    A generation's is counted in denoised megapixels, a training's in pictures learnt from, in
    megapixels; that of an operation on a picture by its result.

    Args:
        task_type: of the task.
        config: as it is stored; of the prompt and the pictures nothing is read.
    """
    if task_type == "generation":
        images = config.get("num_outputs", 1) * (config.get("steps") or 1)
        pixels = (config.get("width") or _SIDE) * (config.get("height") or _SIDE) / _PIXELS
        return Work(f"generation {config.get('model')}", images * pixels)
    if task_type == "training":
        settings = config.get("settings", {})
        pictures = settings.get("steps", 1) * settings.get("batch_size", 1)
        pixels = (settings.get("resolution") or _SIDE) ** 2 / _PIXELS
        units = pictures * settings.get("accumulation", 1) * pixels
        return Work(f"training {config.get('model')}", units)
    operation = config.get("operation")
    if operation is None:
        return Work(task_type, 1.0)
    return Work(f"{task_type} {operation}", float(config.get("scale", 1) ** 2))
