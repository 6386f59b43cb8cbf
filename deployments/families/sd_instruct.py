"""InstructPix2Pix: Stable Diffusion with a second picture as a condition, guided on both."""

from __future__ import annotations

from typing import Any

from diffusers import StableDiffusionInstructPix2PixPipeline

from deployments.contracts import GenerationRequest
from deployments.families.base import Family, PromptEmbeds


class StableDiffusionInstruct(Family):
    """The picture is a condition and not a starting point, so ``strength`` has no meaning here.

    Without a picture the engine gives a white one: "no product".
    """

    text_pipeline_class = StableDiffusionInstructPix2PixPipeline
    load_options = {"safety_checker": None, "requires_safety_checker": False}  # noqa: RUF012
    fit = "contain"

    def is_guided(self, request: GenerationRequest) -> bool:
        """The pipeline guides on both conditions or on neither."""
        return request.guidance_scale > 1.0 and self._image_scale(request) >= 1.0

    def needs_picture(self, request: GenerationRequest) -> bool:
        """Always: the denoiser's first layer takes its channels."""
        del request
        return True

    def rows_per_image(self, request: GenerationRequest) -> int:
        """Text and picture, picture alone, neither; the last only where it changes the result.

        The prediction is ``neither + s (text - picture) + t (picture - neither)``: at t = 1 the row
        without conditions cancels out.
        """
        if not self.is_guided(request):
            return 1
        return 2 if self._image_scale(request) == 1.0 else 3

    def pipeline_rows_per_image(self, request: GenerationRequest) -> int:
        """All three, whatever the scales."""
        return 3 if self.is_guided(request) else 1

    def encode_prompt(self, text: str | list[str], *, negative: bool) -> PromptEmbeds:
        """CLIP hidden states, (n, 77, D)."""
        # The pipeline has no public method for it; its private one is what `__call__` uses.
        embeds = self.text_pipeline._encode_prompt(
            text, self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return {"negative_prompt_embeds" if negative else "prompt_embeds": embeds}

    def arguments(self, request: GenerationRequest) -> dict[str, Any]:
        """The size follows from the picture."""
        return {
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance_scale,
            "image_guidance_scale": self._image_scale(request),
        }

    @staticmethod
    def _image_scale(request: GenerationRequest) -> float:
        # With no product there is nothing to be guided towards.
        return 1.0 if request.image is None else request.image_guidance_scale
