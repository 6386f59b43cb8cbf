"""Stable Diffusion XL: text-to-image and image-to-image."""

from __future__ import annotations

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from deployments.families.base import Family, PromptEmbeds


class StableDiffusionXL(Family):
    """A UNet conditioned on two CLIP encoders and on the picture's size."""

    text_pipeline_class = StableDiffusionXLPipeline
    image_pipeline_class = StableDiffusionXLImg2ImgPipeline
    # The invisible watermark needs a package that is not among ours.
    load_options = {"add_watermarker": False}  # noqa: RUF012
    pipe_options = {"add_watermarker": False}  # noqa: RUF012

    def encode_prompt(self, text: str | list[str], *, negative: bool) -> PromptEmbeds:
        """Hidden states of both encoders side by side, (n, 77, D1 + D2), and the pooled (n, D2)."""
        embeds, _, pooled, _ = self.text_pipeline.encode_prompt(
            text, device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        if not negative:
            return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
        if not text and self.text_pipeline.config.force_zeros_for_empty_prompt:
            embeds, pooled = torch.zeros_like(embeds), torch.zeros_like(pooled)
        return {"negative_prompt_embeds": embeds, "negative_pooled_prompt_embeds": pooled}
