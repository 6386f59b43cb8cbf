"""What all judges have in common."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from training.pretraining.autoencoder import to_tensor
from training.pretraining.renderer.attributes import Scene


class Judge(nn.Module, ABC):
    """A small convolutional network that names attributes of a picture.

    Attributes:
        name: of its file, and of the stream of scenes that it learns from.
        classes: attribute → its values; the order is that of the outputs.
        finds_garment: whether it marks the garment as well.
    """

    name: ClassVar[str]
    classes: ClassVar[Mapping[str, tuple[str, ...]]]
    finds_garment: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def scene(rng: random.Random) -> Scene:
        """A random scene in which all attributes can be seen."""

    @abstractmethod
    def forward(self, pictures: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Pictures (n, 3, 192, 128) in -1..1 → logits by attribute, and of the mask (n, 48, 32).

        The mask of a judge that finds no garment is empty, (n, 0, 0).
        """

    def labels(self, scene: Scene) -> list[int]:
        """The class of each attribute of a scene, in the order of `classes`."""
        return [values.index(getattr(scene, name)) for name, values in self.classes.items()]

    @torch.no_grad()
    def attributes(self, picture: Image.Image) -> dict[str, str]:
        """What an RGB picture of 128x192 shows."""
        logits, _ = self(to_tensor(np.asarray(picture)[None]))
        return {name: self.classes[name][int(logits[name][0].argmax())] for name in self.classes}


def stage(before: int, after: int) -> nn.Sequential:
    """Two convolutions; the first halves the resolution."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, stride=2),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )
