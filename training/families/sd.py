"""Stable Diffusion 1.x and 2.x."""

from __future__ import annotations

import torch

from training.families.base import Conditions, Prompts, Trainable


class TrainableStableDiffusion(Trainable):
    """Adapters on the attention of the UNet, as in diffusers' own recipe."""

    def denoise(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        prompts: Prompts,
        conditions: Conditions,
    ) -> torch.Tensor:
        """One call of the UNet."""
        del conditions
        predicted: torch.Tensor = self.family.denoiser(
            noisy, timesteps, prompts["prompt_embeds"], return_dict=False
        )[0]
        return predicted
