"""Stable Diffusion XL."""

from __future__ import annotations

import torch

from training.dataset import Frame
from training.families.base import Conditions, Prompts, Trainable


class TrainableStableDiffusionXL(Trainable):
    """Adapters on the attention of the UNet, and of both CLIP encoders if asked for."""

    text_encoders = ("text_encoder", "text_encoder_2")

    def conditions(self, frame: Frame, generator: torch.Generator) -> Conditions:
        """Sizes that SDXL is conditioned on, (6,): of the file, of the crop's corner, and ours."""
        del generator
        width, height = frame.size
        (file_width, file_height), (left, top) = frame.file_size, frame.corner
        sizes = (file_height, file_width, top, left, height, width)
        return {"time_ids": torch.tensor(sizes, dtype=torch.float32, device=self.device)}

    def denoise(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        prompts: Prompts,
        conditions: Conditions,
    ) -> torch.Tensor:
        """One call of the UNet with pooled prompt and sizes."""
        added = {
            "text_embeds": prompts["pooled_prompt_embeds"],
            "time_ids": conditions["time_ids"].to(self.dtype),
        }
        predicted: torch.Tensor = self.family.denoiser(
            noisy,
            timesteps,
            prompts["prompt_embeds"],
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return predicted
