"""Prior preservation (DreamBooth, Ruiz et al., 2022): what the model knew before stays known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import torch

from training import team
from training.contracts import TrainingConfig
from training.dataset import Frame
from training.encoding import Encoded
from training.families.base import Distribution, Prompts, Trainable
from training.reporting import Reporter


class Prior:
    """Latents of pictures that the model made of ``prior_prompt`` before it had an adapter.

    They are part of a run's checkpoints: to make them anew takes longer than any other part of a
    start.

    Args:
        model: whose prior it is.
        config: prompt, seed and number of the pictures.
        latents: of all pictures.
    """

    def __init__(self, model: Trainable, config: TrainingConfig, latents: Distribution) -> None:
        self._model, self._config, self._latents = model, config, latents
        defaults = model.family.entry.defaults
        size = (defaults.width, defaults.height)
        self.frame = Frame(size, size)
        self._prompt: Prompts | None = None

    @classmethod
    def make(cls, model: Trainable, config: TrainingConfig, report: Reporter) -> Self:
        """Make the pictures, from fixed seeds; the team shares the work."""
        own = []
        for index in team.own_share(config.prior_images):
            report.alive("prior")
            picture = model.sample(config.prior_prompt, config.seed + index)
            latents = model.encode_pictures([picture])
            own.append((latents.mean.cpu().contiguous(), latents.std.cpu().contiguous()))
        each = team.gather(own, config.prior_images)
        mean, std = (
            torch.cat(values).contiguous().to(model.device) for values in zip(*each, strict=True)
        )
        return cls(model, config, Distribution(mean, std))

    @classmethod
    def restore(
        cls, model: Trainable, config: TrainingConfig, state: Mapping[str, torch.Tensor]
    ) -> Self:
        """The same, from a checkpoint."""
        mean, std = (state[name].to(model.device) for name in ("mean", "std"))
        return cls(model, config, Distribution(mean, std))

    def state(self) -> dict[str, torch.Tensor]:
        """What `restore` takes."""
        return {"mean": self._latents.mean.cpu(), "std": self._latents.std.cpu()}

    def rows(self, indices: Sequence[int]) -> Encoded:
        """The rows of some of the pictures."""
        latents = Distribution(self._latents.mean[indices], self._latents.std[indices])
        return Encoded(latents, self._prompts(len(indices)))

    def _prompts(self, count: int) -> Prompts:
        if self._config.train_text_encoder:
            return self._model.encode_prompts([self._config.prior_prompt] * count)
        if self._prompt is None:
            with torch.no_grad():
                self._prompt = self._model.encode_prompts([self._config.prior_prompt])
        return {name: value.expand(count, *value.shape[1:]) for name, value in self._prompt.items()}
