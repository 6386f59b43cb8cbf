"""What is in a picture: a classifier of garment, colour, pattern, background, framing and view."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional

from training.pretraining.autoencoder import to_tensor
from training.pretraining.judges.base import Judge, stage
from training.pretraining.renderer.attributes import (
    ALL_FRAMINGS,
    BACKGROUNDS,
    COLOURS,
    GARMENTS,
    PATTERNS,
    VIEWS,
    Scene,
    sample_scene,
)


class SceneJudge(Judge):
    """Attributes of a picture, and where its garment is."""

    name: ClassVar[str] = "scene"
    classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "garment": tuple(GARMENTS),
        "colour": tuple(COLOURS),
        "pattern": PATTERNS,
        "background": BACKGROUNDS,
        "framing": ALL_FRAMINGS,
        "view": VIEWS,
    }
    finds_garment: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.quarter, self.eighth, self.sixteenth = stage(12, 48), stage(48, 96), stage(96, 128)
        self.coarse_map = nn.Conv2d(96, 1, 1)
        self.fine_map = nn.Conv2d(48, 1, 1)
        # Garment, framing and view are told by what is where: this keeps the positions.
        self.layout = nn.Conv2d(128, 32, 1)
        self.placed = nn.Sequential(nn.Linear(32 * 12 * 8 + 2 * 128 + 96, 160), nn.ReLU())
        self.garment = nn.Linear(160, len(GARMENTS))
        self.framing = nn.Linear(160, len(ALL_FRAMINGS))
        self.view = nn.Linear(160, len(VIEWS))
        self.colour = nn.Sequential(nn.Linear(96 + 3, 96), nn.ReLU(), nn.Linear(96, len(COLOURS)))
        self.pattern = nn.Sequential(
            nn.Linear(2 * 48 + 96, 96), nn.ReLU(), nn.Linear(96, len(PATTERNS))
        )
        self.background = nn.Linear(2 * 96, len(BACKGROUNDS))

    @staticmethod
    def scene(rng: random.Random) -> Scene:
        """Any scene."""
        return sample_scene(rng)

    def forward(self, pictures: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Pictures (n, 3, 192, 128) in -1..1 → logits by attribute, and of the mask (n, 48, 32)."""
        fine = self.quarter(functional.pixel_unshuffle(pictures, 2))
        middle = self.eighth(fine)
        deep = self.sixteenth(middle)
        coarse = self.coarse_map(middle)
        mask = self.fine_map(fine) + functional.interpolate(coarse, scale_factor=2)
        weight = torch.sigmoid(coarse)
        inside = _weighted_mean(middle, weight)
        colour = _weighted_mean(functional.avg_pool2d(pictures, 8), weight)
        layout = torch.relu(self.layout(deep)).flatten(1)
        placed = self.placed(torch.cat([layout, deep.mean((2, 3)), deep.amax((2, 3)), inside], 1))
        near = torch.sigmoid(mask)
        texture = torch.cat([_weighted_mean(fine, near), _weighted_mean(fine.square(), near)], 1)
        logits = {
            "garment": self.garment(placed),
            "framing": self.framing(placed),
            "view": self.view(placed),
            "colour": self.colour(torch.cat([inside, colour], 1)),
            "pattern": self.pattern(torch.cat([texture, inside], 1)),
            "background": self.background(
                torch.cat([_weighted_mean(middle, 1 - weight), middle.amax((2, 3))], 1)
            ),
        }
        return logits, mask[:, 0]

    @torch.no_grad()
    def garment_mask(self, picture: Image.Image) -> NDArray[np.bool_]:
        """Where the garment is in an RGB picture of 128x192; (192, 128)."""
        _, mask = self(to_tensor(np.asarray(picture)[None]))
        large = functional.interpolate(mask[:, None], scale_factor=4, mode="bilinear")[0, 0]
        found: NDArray[np.bool_] = (large > 0).numpy()
        return found


def _weighted_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum((2, 3)) / weight.sum((2, 3)).clamp(min=1e-3)
