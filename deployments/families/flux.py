"""FLUX.1: text-to-image and image-to-image."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import FluxImg2ImgPipeline, FluxPipeline

from deployments.contracts import GenerationRequest
from deployments.families.base import Family, PromptEmbeds


class Flux(Family):
    """A flow-matching transformer over packed 2x2 latents, with a CLIP and a T5 encoder.

    Guidance is distilled into the weights: one denoiser row per image, and a negative prompt has no
    effect. ``options.max_sequence_length`` of the entry is the length of the T5 prompt (512).
    """

    text_pipeline_class = FluxPipeline
    image_pipeline_class = FluxImg2ImgPipeline
    denoiser_name = "transformer"

    @property
    def _sequence_length(self) -> int:
        return int(str(self.entry.options.get("max_sequence_length", 512)))

    def is_guided(self, request: GenerationRequest) -> bool:
        """Never by a second row."""
        del request
        return False

    def encode_prompt(self, text: str | list[str], *, negative: bool) -> PromptEmbeds:
        """T5 hidden states, (n, sequence length, D), and the pooled CLIP vector (n, D2)."""
        assert not negative, "a distilled model has no negative prompt"
        embeds, pooled, _ = self.text_pipeline.encode_prompt(
            text, None, device=self.device, max_sequence_length=self._sequence_length
        )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def arguments(self, request: GenerationRequest) -> dict[str, Any]:
        """Both pipelines take the size: packed latents do not show it."""
        shared = super().arguments(request)
        if request.image is not None:
            shared["strength"] = self._effective_strength(request)
        return shared | {"height": request.height, "width": request.width}

    @staticmethod
    def _effective_strength(request: GenerationRequest) -> float:
        """A strength below 1 leaves out at least the first step.

        The pipeline rounds the steps up, and the first one starts from pure noise: with the few
        steps of a distilled model it would ignore the picture.
        """
        if request.strength == 1.0 or request.steps == 1:
            return request.strength
        return min(request.strength, (request.steps - 1) / request.steps - 1e-6)

    def unpack_latents(self, latents: torch.Tensor, request: GenerationRequest) -> torch.Tensor:
        """(B, h/2 * w/2, 4C) -> (B, C, h, w), in the autoencoder's scale."""
        pipeline = self.text_pipeline
        unpacked: torch.Tensor = pipeline._unpack_latents(
            latents, request.height, request.width, pipeline.vae_scale_factor
        )
        return super().unpack_latents(unpacked, request)
