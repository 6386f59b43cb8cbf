"""Tell samples of the denoiser from renders, to teach it figures that a render could have.

The reward model says whether a sample shows what was asked for, and does not mind a second bag, a
leg that ends nowhere or soft edges. A critic does: it learns, while the denoiser is aligned, what
samples have and renders of the same scenes do not. It looks through the frozen features of the
reward model, which know a figure already, so that only small heads have to be trained (Projected
GAN, Sauer et al. 2021), and at both under the same noise.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import nn
from torch.nn import functional

from training.pretraining.reward import RewardModel

_GROUPS: Final = 8


class Critic(nn.Module):
    """Latents (n, channels, 24, 16) → how much they look like renders, one logit for each place.

    Each resolution of the reward model's features has a head of its own; the places of all of them
    are put side by side, (n, 24 x 16 + 12 x 8 + 6 x 4).
    """

    def __init__(self, judge: RewardModel, width: int) -> None:
        super().__init__()
        # In a tuple it is no submodule: its weights are neither trained nor saved.
        self._frozen = (judge,)
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(_GROUPS, channels),
                nn.Conv2d(channels, width, 3, padding=1),
                nn.SiLU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.SiLU(),
                nn.Conv2d(width, 1, 1),
            )
            for channels in judge.widths
        )

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """The logits; the mean of them says how much a sample looks like a render."""
        features = self._frozen[0].features(latents)
        logits = [head(each).flatten(1) for head, each in zip(self.heads, features, strict=True)]
        return torch.cat(logits, dim=1)

    def loss(self, renders: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """The hinge loss of telling one from the other; 2 for who cannot, 0 for who can."""
        real, made = self(torch.cat([renders, samples.detach()])).chunk(2)
        return torch.as_tensor(functional.relu(1 - real).mean() + functional.relu(1 + made).mean())

    def complaint(self, samples: torch.Tensor) -> torch.Tensor:
        """What the denoiser is to minimize: minus the mean logit of its samples."""
        return torch.as_tensor(-self(samples).mean())
