"""How like the training pictures a generated picture is, in a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from training.contracts import Pixels
from training.families.base import Trainable

_GRID = 4


class Similarity(Protocol):
    """Compares samples with the pictures that a run learns from."""

    def __call__(self, samples: Sequence[Pixels]) -> float:
        """Mean similarity of the samples to the pictures, in [-1, 1]."""
        ...


class PooledSimilarity:
    """Mean pairwise cosine of embeddings, as DreamBooth's DINO and CLIP-I scores (Ruiz, 2022).

    The embedding needs no further model: means and deviations, in the cells of a 4x4 grid, of the
    autoencoder's latents (what is where) and of luma and chroma (its colours), each half of unit
    length, both seen from a grey picture's. It tells identities of one renderer or studio apart;
    it does not know what a face is, so a run on photographs may be given a better one.

    Args:
        model: whose autoencoder is used.
        pictures: that the run learns from.
    """

    def __init__(self, model: Trainable, pictures: Sequence[Pixels]) -> None:
        self._model = model
        self._pictures = torch.stack([self._embed(picture) for picture in pictures])

    def __call__(self, samples: Sequence[Pixels]) -> float:
        """Mean over samples and pictures."""
        embedded = torch.stack([self._embed(sample) for sample in samples])
        return float((embedded @ self._pictures.T).mean())

    def _embed(self, picture: Pixels) -> torch.Tensor:
        """(H, W, 3) → (D,) of unit length."""
        grey = np.full_like(picture, 128)
        latents = [self._model.encode_pictures([p]).mean.cpu() for p in (picture, grey)]
        colours = torch.from_numpy(np.asarray(Image.fromarray(picture).convert("YCbCr")).copy())
        planes = colours.permute(2, 0, 1)[None].float() - 128
        halves = (_statistics(latents[0] - latents[1]), _statistics(planes))
        return torch.cat([functional.normalize(half, dim=0) for half in halves]) / 2**0.5


def _statistics(values: torch.Tensor) -> torch.Tensor:
    """(1, C, H, W) → means and deviations in the cells of a grid, flat."""
    means = functional.adaptive_avg_pool2d(values, _GRID)
    squares = functional.adaptive_avg_pool2d(values.square(), _GRID)
    deviations = (squares - means.square()).clamp(min=0).sqrt()
    return torch.cat([means.flatten(), deviations.flatten()])
