"""InstructPix2Pix: a second picture's latents are further channels of the denoiser's input."""

from __future__ import annotations

import torch

from deployments.families.base import Family
from training.dataset import Frame, Size
from training.families.base import Conditions, Prompts, Trainable


class TrainableInstruct(Trainable):
    """Trains on pictures without a product.

    Two things mean "no product" to such a model: zeros, which stand in the guidance's branch
    without conditions, and a white picture, which is what generation sends. Each row gets one of
    them at random, as in pretraining.
    """

    def __init__(self, family: Family, dtype: torch.dtype) -> None:
        super().__init__(family, dtype)
        self._white: dict[Size, torch.Tensor] = {}

    def conditions(self, frame: Frame, generator: torch.Generator) -> Conditions:
        """Latents of "no product", (C, h, w)."""
        white = self._latents_of_white(frame.size)
        zeros = bool(torch.rand((), generator=generator) < 0.5)
        return {"product": torch.zeros_like(white) if zeros else white}

    @torch.no_grad()
    def _latents_of_white(self, size: Size) -> torch.Tensor:
        if size not in self._white:
            pixels = torch.ones(1, 3, size[1], size[0], device=self.device)
            # As the pipeline does: the mode, and no scaling.
            self._white[size] = self.family.vae.encode(pixels).latent_dist.mode()[0]
        return self._white[size]

    def denoise(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        prompts: Prompts,
        conditions: Conditions,
    ) -> torch.Tensor:
        """One call of the UNet on both latents."""
        sample = torch.cat([noisy, conditions["product"]], dim=1)
        predicted: torch.Tensor = self.family.denoiser(
            sample, timesteps, prompts["prompt_embeds"], return_dict=False
        )[0]
        return predicted
