"""What a denoiser learns to predict: noise or velocity on a noise schedule, or a flow.

Timesteps are tensors (n,), latents (n, C, h, w).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import DDPMScheduler

from training.contracts import InvalidTraining


class Objective(ABC):
    """How clean latents become a training example at a timestep."""

    @abstractmethod
    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """One timestep, (1,), from the distribution that training uses."""

    @abstractmethod
    def quantiles(self, count: int) -> torch.Tensor:
        """Fixed timesteps that stand for that distribution, (count,)."""

    @abstractmethod
    def noisy(
        self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """What the denoiser is shown."""

    @abstractmethod
    def target(
        self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """What it is to predict."""

    @abstractmethod
    def weight(self, timesteps: torch.Tensor, gamma: float | None) -> torch.Tensor:
        """Weight of each row's squared error, (n,)."""


class Diffusion(Objective):
    """Noise (epsilon) or velocity prediction on the schedule that the checkpoint was trained on.

    Args:
        config: of the checkpoint's scheduler, whichever sampler that is.
        device: where latents are.

    Raises:
        InvalidTraining: the model predicts something else.
    """

    def __init__(self, config: Mapping[str, Any], device: torch.device) -> None:
        schedule = DDPMScheduler.from_config(dict(config))
        self._velocity = schedule.config.prediction_type == "v_prediction"
        if not self._velocity and schedule.config.prediction_type != "epsilon":
            kind = schedule.config.prediction_type
            raise InvalidTraining(f"models that predict {kind!r} cannot be trained")
        self._signal: torch.Tensor = schedule.alphas_cumprod.to(device)
        # With rescaled betas (Lin et al., 2023) the last timestep is pure noise.
        self._zero_terminal = bool(schedule.config.rescale_betas_zero_snr)

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Uniform over the schedule."""
        return torch.randint(len(self._signal), (1,), generator=generator)

    def quantiles(self, count: int) -> torch.Tensor:
        """Centres of equal parts of the schedule."""
        return torch.tensor([(2 * i + 1) * len(self._signal) // (2 * count) for i in range(count)])

    def noisy(
        self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Equation 4 of DDPM (Ho et al., 2020)."""
        signal = self._signal[timesteps].view(-1, 1, 1, 1)
        return signal.sqrt() * clean + (1 - signal).sqrt() * noise

    def target(
        self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """The noise, or the velocity (Salimans and Ho, 2022)."""
        if not self._velocity:
            return noise
        signal = self._signal[timesteps].view(-1, 1, 1, 1)
        return signal.sqrt() * noise - (1 - signal).sqrt() * clean

    def weight(self, timesteps: torch.Tensor, gamma: float | None) -> torch.Tensor:
        """Min-SNR weights (Hang et al., 2023).

        For velocity the paper's weight falls to zero where the signal does. A model with zero
        terminal SNR begins to sample just there, and decides colours and layout, so for it the
        weight of the clean prediction, SNR + 1 under a velocity loss, is cut off at gamma + 1
        instead: timesteps of little signal keep the weight 1.
        """
        signal = self._signal[timesteps]
        if gamma is None:
            return torch.ones_like(signal)
        ratio = signal / (1 - signal)
        if not self._velocity:
            return (gamma / ratio).clamp(max=1.0)
        if self._zero_terminal:
            return ((gamma + 1) / (ratio + 1)).clamp(max=1.0)
        return ratio.clamp(max=gamma) / (ratio + 1)


class Flow(Objective):
    """Rectified flow; timesteps in (0, 1), logit-normal as in Stable Diffusion 3 (Esser, 2024)."""

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Logit-normal with location 0 and scale 1."""
        return torch.sigmoid(torch.randn(1, generator=generator))

    def quantiles(self, count: int) -> torch.Tensor:
        """Of that distribution."""
        shares = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        return torch.sigmoid(torch.special.ndtri(shares)).float()

    def noisy(
        self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """On the straight line between them."""
        share = timesteps.view(-1, 1, 1, 1)
        return (1 - share) * clean + share * noise

    def target(
        self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Its direction."""
        del timesteps
        return noise - clean

    def weight(self, timesteps: torch.Tensor, gamma: float | None) -> torch.Tensor:
        """One: the distribution of timesteps does the weighting."""
        del gamma
        return torch.ones_like(timesteps)
