"""Who is in a picture: a classifier of body, skin and hair."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from training.pretraining.judges.base import Judge, stage
from training.pretraining.renderer.attributes import (
    AGES,
    BODY_TYPES,
    FRAMINGS,
    HAIR_COLOURS,
    HAIR_STYLES,
    SKIN_TONES,
    SUBJECTS,
    WITH_HEAD,
    Scene,
    sample_scene,
)


def with_head(scene: Scene) -> Scene:
    """The scene in a framing that shows the head."""
    if scene.shows_head:
        return scene
    framings = [one for one in FRAMINGS[scene.region] if one in WITH_HEAD]
    return replace(scene, framing=framings[scene.jitter_seed % len(framings)])


class IdentityJudge(Judge):
    """Looks where attention finds a head, and at the whole figure and where its parts are."""

    name: ClassVar[str] = "identity"
    classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "subject": SUBJECTS,
        "age": AGES,
        "body": BODY_TYPES,
        "skin": tuple(SKIN_TONES),
        "hair_style": HAIR_STYLES,
        "hair_colour": tuple(HAIR_COLOURS),
    }

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(stage(12, 48), stage(48, 96))
        self.deep = stage(96, 128)
        self.attention = nn.Conv2d(128, len(self.classes), 1)
        # A build is told by how far apart the contours are: this keeps the positions.
        self.layout = nn.Conv2d(96, 24, 1)
        self.placed = nn.Sequential(nn.Linear(24 * 24 * 16, 160), nn.ReLU())
        features = 4 * 128 + 160
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(features, 96), nn.ReLU(), nn.Linear(96, len(values)))
                for name, values in self.classes.items()
            }
        )

    @staticmethod
    def scene(rng: random.Random) -> Scene:
        """Any scene with a head in it."""
        return with_head(sample_scene(rng))

    def forward(self, pictures: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Pictures (n, 3, 192, 128) in -1..1 → logits by attribute, and an empty mask."""
        middle = self.body(functional.pixel_unshuffle(pictures, 2))
        deep = self.deep(middle)
        whole = torch.cat([deep.mean((2, 3)), deep.amax((2, 3))], 1)
        placed = self.placed(torch.relu(self.layout(middle)).flatten(1))
        attention = self.attention(deep).flatten(2).softmax(2)
        flat = deep.flatten(2)
        logits = {}
        for index, (name, head) in enumerate(self.heads.items()):
            weight = attention[:, index : index + 1]
            mean = (flat * weight).sum(2)
            deviation = ((flat - mean[..., None]).square() * weight).sum(2)
            logits[name] = head(torch.cat([mean, deviation, whole, placed], 1))
        return logits, pictures.new_empty(len(pictures), 0, 0)
