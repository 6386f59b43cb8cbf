"""How good an adapter is: the loss of held-out pictures, and samples that look like the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch

from training.contracts import Emit, Sample, TrainingConfig, Validation
from training.losses import Row, RowLoss
from training.preparation import Prepared
from training.similarity import PooledSimilarity, Similarity

_TIMESTEPS = 8


def score(validation: Validation, loss_without: float | None) -> float:
    """What the best adapter is chosen by: the higher, the better.

    Similarity of the samples, plus the share by which the adapter lowers the loss of the held-out
    pictures from ``loss_without`` it. The first rises with every step that learns the subject, the
    second falls when an adapter knows the training pictures by heart. What a run does not measure
    does not count; if it measures nothing, all scores are 0 and the last adapter is the best.
    """
    gained = 0.0
    if validation.loss is not None and loss_without:
        gained = 1.0 - validation.loss / loss_without
    return gained + (validation.similarity or 0.0)


class Evaluation:
    """Measures the model as it is now.

    Args:
        config: prompts and seed of the samples.
        prepared: the model with the adapter, and its pictures.
        loss: of rows.
    """

    def __init__(self, config: TrainingConfig, prepared: Prepared, loss: RowLoss) -> None:
        self._config, self._loss = config, loss
        self._model, self._encoder = prepared.model, prepared.encoder
        self._held_out = prepared.held_out
        self._similarity: Similarity | None = None
        if config.sample_prompts:
            pixels = [self._encoder.pictures[index].pixels for index in prepared.train]
            self._similarity = PooledSimilarity(self._model, pixels)

    @torch.no_grad()
    def loss(self) -> float | None:
        """Of the held-out pictures at fixed timesteps and noise; None without any."""
        if not self._held_out:
            return None
        by_size: defaultdict[object, list[Row]] = defaultdict(list)
        quantiles = self._model.objective().quantiles(_TIMESTEPS)
        for index in self._held_out:
            for part, timestep in enumerate(quantiles):
                key = (self._config.seed, "validation", index, part)
                by_size[self._encoder.pictures[index].frame.size].append(
                    Row(index, key, timestep.view(1))
                )
        total = 0.0
        for rows in by_size.values():
            for start in range(0, len(rows), _TIMESTEPS):
                total += float(self._loss_of(rows[start : start + _TIMESTEPS]).sum())
        return total / (len(self._held_out) * _TIMESTEPS)

    def _loss_of(self, rows: Sequence[Row]) -> torch.Tensor:
        indices = [row.index for row in rows]
        frames = [self._encoder.pictures[index].frame for index in indices]
        return self._loss(rows, frames, self._encoder.rows(indices))

    def sample(self, step: int, emit: Emit) -> float | None:
        """Send one picture for each prompt; their similarity to the pictures, None without any."""
        if self._similarity is None:
            return None
        pictures = []
        for index, prompt in enumerate(self._config.sample_prompts):
            seed = self._config.seed + index
            picture = self._model.sample(prompt, seed)
            pictures.append(picture)
            emit(Sample(step, index, prompt, seed, picture))
        return self._similarity(pictures)
