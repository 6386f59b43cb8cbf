"""Attribute classifiers that judge generated pictures; they are trained on renders only."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional
from tqdm import trange

from training.pretraining.autoencoder import to_tensor
from training.pretraining.config import OptimizerConfig
from training.pretraining.optimization import Optimization
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
from training.pretraining.renderer.compose import render_on_model
from training.pretraining.renders import Pictures
from training.pretraining.workspace import Workspace, load_state, save_state

#: Attribute → its values; the order is that of the classifiers' outputs.
CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "garment": tuple(GARMENTS),
    "colour": tuple(COLOURS),
    "pattern": PATTERNS,
    "background": BACKGROUNDS,
    "framing": ALL_FRAMINGS,
    "view": VIEWS,
}
#: How judges are trained; they are not part of the recipe, which must not know them.
JUDGE_OPTIMIZER: Final = OptimizerConfig(
    matrix_rate=2e-2, learning_rate=2e-3, weight_decay=1e-2, warmup=30, decay=0.6, clip=1.0, ema=0.9
)
_HELD_OUT: Final = 400


def labels(scene: Scene) -> list[int]:
    """The class of each attribute of a scene, in the order of `CLASSES`."""
    return [CLASSES[name].index(getattr(scene, name)) for name in CLASSES]


def _stage(before: int, after: int) -> nn.Sequential:
    """Two convolutions; the first halves the resolution."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, stride=2),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class Judge(nn.Module):
    """One small convolutional network: attributes of a picture, and where its garment is."""

    def __init__(self) -> None:
        super().__init__()
        self.quarter, self.eighth, self.sixteenth = _stage(12, 48), _stage(48, 96), _stage(96, 128)
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


def _weighted_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum((2, 3)) / weight.sum((2, 3)).clamp(min=1e-3)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge sees in one picture; `mask` is (192, 128) bool."""

    attributes: dict[str, str]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Samples:
    pictures: Pictures
    masks: torch.Tensor
    classes: torch.Tensor


def _samples(scenes: list[Scene]) -> _Samples:
    pairs = [render_on_model(scene) for scene in scenes]
    masks = [np.asarray(Image.fromarray(masks.garment).reduce(4)) for _, masks in pairs]
    return _Samples(
        np.stack([np.asarray(picture) for picture, _ in pairs]),
        torch.from_numpy(np.stack(masks)).float() / 255,
        torch.tensor([labels(scene) for scene in scenes]),
    )


def _scenes(stream: str, count: int, seed: int) -> list[Scene]:
    return [sample_scene(random.Random(f"{seed}:{stream}:{index}")) for index in range(count)]


def mirrored(generator: torch.Generator, *parts: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Half of the rows the other way round, which changes nothing that is judged; (n, ..., width).

    The same rows of every part.
    """
    turned = torch.rand(len(parts[0]), generator=generator) < 0.5
    return tuple(
        torch.where(turned.view(-1, *[1] * (part.ndim - 1)), part.flip(-1), part) for part in parts
    )


def worn(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures with the blur and noise that a decoder leaves, which must not decide."""
    count = len(pictures)
    blurred = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), "replicate"), 3, 1)
    share = (torch.rand(count, 1, 1, 1, generator=generator) * 2 - 1).clamp(min=0)
    noise = torch.randn(pictures.shape, generator=generator)
    amount = 0.05 * torch.rand(count, 1, 1, 1, generator=generator)
    return pictures + share * (blurred - pictures) + amount * noise


def trained_judge(
    workspace: Workspace, *, seed: int, count: int = 24_000, steps: int = 5000, batch: int = 32
) -> tuple[Judge, dict[str, float]]:
    """Train a judge or take it from the cache; returns it with its held-out accuracies."""
    path = workspace.root / "judge.pt"
    state = load_state(path)
    judge = Judge()
    if state is not None:
        judge.load_state_dict(state["judge"])
        return judge.eval(), state["accuracy"]
    torch.manual_seed(seed)
    judge = Judge()
    data = _samples(_scenes("judge", count, seed))
    generator = torch.Generator().manual_seed(seed)
    optimization = Optimization([judge], JUDGE_OPTIMIZER, steps)
    for step in (bar := trange(steps, desc="judge", mininterval=5)):
        chosen = torch.randint(count, (batch,), generator=generator)
        pictures, masks = mirrored(
            generator, to_tensor(data.pictures[chosen.numpy()]), data.masks[chosen]
        )
        with torch.autocast("cpu", torch.bfloat16):
            logits, mask = judge(worn(pictures, generator))
        loss = functional.binary_cross_entropy_with_logits(mask.float(), masks)
        for column, name in enumerate(CLASSES):
            expected = data.classes[chosen, column]
            loss = loss + functional.cross_entropy(logits[name].float(), expected)
        optimization.step(loss, step)
        bar.set_postfix(loss=f"{float(loss.detach()):.2f}", refresh=False)
    judge.eval()
    accuracy = _accuracy(judge, _samples(_scenes("judge held-out", _HELD_OUT, seed)))
    save_state(path, {"judge": judge.state_dict(), "accuracy": accuracy})
    return judge, accuracy


@torch.no_grad()
def _accuracy(judge: Judge, data: _Samples) -> dict[str, float]:
    right = dict.fromkeys(CLASSES, 0)
    for start in range(0, len(data.pictures), 50):
        logits, _ = judge(to_tensor(data.pictures[start : start + 50]))
        for column, name in enumerate(CLASSES):
            expected = data.classes[start : start + 50, column]
            right[name] += int((logits[name].argmax(1) == expected).sum())
    return {name: count / len(data.pictures) for name, count in right.items()}


@torch.no_grad()
def judge_picture(judge: Judge, picture: Image.Image) -> Verdict:
    """What a judge sees in an RGB picture of 128x192."""
    logits, mask = judge(to_tensor(np.asarray(picture)[None]))
    attributes = {name: CLASSES[name][int(logits[name][0].argmax())] for name in CLASSES}
    large = functional.interpolate(mask[:, None], scale_factor=4, mode="bilinear")[0, 0]
    return Verdict(attributes, (large > 0).numpy())
