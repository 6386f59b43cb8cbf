"""The loss of rows of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from training.dataset import Frame
from training.draws import generator
from training.encoding import Encoded
from training.families.base import Trainable
from training.objectives import Objective

Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One picture in a batch.

    Attributes:
        index: of the picture in its set.
        key: of everything that is drawn for the row.
        timestep: (1,), instead of a drawn one.
    """

    index: int
    key: Key
    timestep: torch.Tensor | None = None


class RowLoss:
    """Squared error of the denoiser's predictions.

    Args:
        model: whose denoiser predicts.
        objective: what.
        gamma: of min-SNR weighting, or None.
    """

    def __init__(self, model: Trainable, objective: Objective, gamma: float | None) -> None:
        self._model, self._objective, self._gamma = model, objective, gamma

    def __call__(
        self, rows: Sequence[Row], frames: Sequence[Frame], encoded: Encoded
    ) -> torch.Tensor:
        """Weighted mean squared error of each row, (n,); frames and encodings row by row."""
        device = self._model.device
        mean, std = encoded.latents.mean, encoded.latents.std
        timesteps, noises, spreads, conditions = [], [], [], []
        for row, frame in zip(rows, frames, strict=True):
            draws = generator(*row.key)
            drawn = self._objective.draw(draws)
            timesteps.append(drawn if row.timestep is None else row.timestep)
            spread, noise = torch.randn((2, *mean.shape[1:]), generator=draws)
            spreads.append(spread)
            noises.append(noise)
            conditions.append(self._model.conditions(frame, draws))
        clean = mean + std * torch.stack(spreads).to(device)
        noise, times = torch.stack(noises).to(device), torch.cat(timesteps).to(device)
        told = {name: torch.stack([each[name] for each in conditions]) for name in conditions[0]}
        with self._model.autocast():
            noisy = self._objective.noisy(clean, noise, times)
            predicted = self._model.denoise(noisy, times, encoded.prompts, told)
        target = self._objective.target(clean, noise, times)
        errors = functional.mse_loss(predicted.float(), target, reduction="none").mean((1, 2, 3))
        return errors * self._objective.weight(times, self._gamma)
