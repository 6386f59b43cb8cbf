"""Stable Diffusion 1.x and 2.x: text-to-image and image-to-image."""

from __future__ import annotations

from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

from deployments.families.base import Family, PromptEmbeds


class StableDiffusion(Family):
    """A UNet, one CLIP text encoder, a KL autoencoder.

    The checkpoint's own safety checker is not loaded: pictures are reviewed before they are
    delivered, and no other family has one.
    """

    text_pipeline_class = StableDiffusionPipeline
    image_pipeline_class = StableDiffusionImg2ImgPipeline
    load_options = {"safety_checker": None, "requires_safety_checker": False}  # noqa: RUF012
    pipe_options = {"requires_safety_checker": False}  # noqa: RUF012

    def encode_prompt(self, text: str | list[str], *, negative: bool) -> PromptEmbeds:
        """CLIP hidden states, (n, 77, D)."""
        embeds, _ = self.text_pipeline.encode_prompt(
            text, self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return {"negative_prompt_embeds" if negative else "prompt_embeds": embeds}
