"""How a judge learns from renders, and how often it is right about others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from tqdm import tqdm

from training.pretraining.autoencoder import to_tensor
from training.pretraining.config import OptimizerConfig
from training.pretraining.judges.base import Judge
from training.pretraining.optimization import Optimization
from training.pretraining.precision import bfloat16
from training.pretraining.renderer.compose import draw_on_model, render_on_model
from training.pretraining.renders import Pictures

_OPTIMIZER: Final = OptimizerConfig(
    matrix_rate=2e-2, learning_rate=2e-3, weight_decay=1e-2, warmup=30, decay=0.6, clip=1.0, ema=0.9
)


@dataclass(frozen=True, slots=True)
class Samples:
    """Renders and what they show.

    Attributes:
        pictures: (n, 192, 128, 3) uint8.
        masks: of the garment, (n, 48, 32); (n, 0, 0) for a judge that finds none.
        classes: (n, attributes).
    """

    pictures: Pictures
    masks: torch.Tensor
    classes: torch.Tensor


def samples(judge: Judge, stream: str, count: int, seed: int) -> Samples:
    """Draw scenes of a stream; streams have no scene in common."""
    rows = (f"{seed}:{judge.name}:{stream}:{index}" for index in range(count))
    scenes = [judge.scene(random.Random(row)) for row in rows]
    classes = torch.tensor([judge.labels(scene) for scene in scenes])
    if not judge.finds_garment:
        pictures = np.stack([np.asarray(draw_on_model(scene)) for scene in scenes])
        return Samples(pictures, torch.empty(count, 0, 0), classes)
    pictures = np.empty((count, 192, 128, 3), dtype=np.uint8)
    masks = torch.empty(count, 48, 32)
    for row, scene in enumerate(scenes):
        picture, exact = render_on_model(scene)
        pictures[row] = np.asarray(picture)
        small = np.asarray(Image.fromarray(exact.garment).reduce(4))
        masks[row] = torch.from_numpy(small.astype(np.float32)) / 255
    return Samples(pictures, masks, classes)


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


def train(judge: Judge, data: Samples, *, seed: int, steps: int, batch: int = 32) -> None:
    """Train a fresh judge in this process."""
    generator = torch.Generator().manual_seed(seed)
    optimization = Optimization([judge], _OPTIMIZER, steps)
    judge.train()
    for step in (bar := tqdm(range(steps), desc=f"{judge.name} judge", mininterval=5)):
        chosen = torch.randint(len(data.pictures), (batch,), generator=generator)
        pictures, masks = mirrored(
            generator, to_tensor(data.pictures[chosen.numpy()]), data.masks[chosen]
        )
        with bfloat16():
            logits, mask = judge(worn(pictures, generator))
        loss = torch.zeros(())
        if judge.finds_garment:
            loss = functional.binary_cross_entropy_with_logits(mask.float(), masks)
        for column, name in enumerate(judge.classes):
            expected = data.classes[chosen, column]
            loss = loss + functional.cross_entropy(logits[name].float(), expected)
        optimization.step(loss, step)
        bar.set_postfix(loss=f"{float(loss.detach()):.2f}", refresh=False)
    judge.eval()


@torch.no_grad()
def accuracy(judge: Judge, data: Samples) -> dict[str, float]:
    """Share of the renders of which a judge names each attribute."""
    right = torch.cat(list(_hits(judge, data))).float().mean(0)
    return {name: round(float(value), 4) for name, value in zip(judge.classes, right, strict=True)}


def _hits(judge: Judge, data: Samples) -> Iterator[torch.Tensor]:
    for start in range(0, len(data.pictures), 50):
        logits, _ = judge(to_tensor(data.pictures[start : start + 50]))
        seen = torch.stack([logits[name].argmax(1) for name in judge.classes], 1)
        yield seen == data.classes[start : start + 50]
