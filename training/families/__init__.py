"""What training knows of each model family. Listing them loads nothing heavy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from training.families.base import Trainable

TRAINABLE: Final = {
    "sd": "training.families.sd:TrainableStableDiffusion",
    "sd-instruct": "training.families.sd_instruct:TrainableInstruct",
    "sdxl": "training.families.sdxl:TrainableStableDiffusionXL",
    "flux": "training.families.flux:TrainableFlux",
}


def resolve(name: str) -> type[Trainable]:
    """Import the class of a family.

    Raises:
        KeyError: it cannot be trained.
    """
    module, _, attribute = TRAINABLE[name].partition(":")
    family: type[Trainable] = getattr(import_module(module), attribute)
    return family
