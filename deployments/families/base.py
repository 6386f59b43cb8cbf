"""The interface between the generation engine and a model family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self, TypeAlias

import torch

from configs.catalog import ModelEntry
from configs.settings import AttentionBackend
from deployments.contracts import GenerationRequest
from deployments.families.loading import load_pipeline, sibling, use_attention

# Keyword arguments of a pipeline call that carry an encoded prompt, one row each.
PromptEmbeds: TypeAlias = dict[str, torch.Tensor]


class Family(ABC):
    """One loaded model: its pipelines, and how requests become arguments of one of them.

    Attributes:
        entry: the catalog entry it was loaded from.
        text_pipeline: takes prompts alone.
        image_pipeline: takes prompts and pictures; shares every component with the first.
    """

    text_pipeline_class: ClassVar[type[Any]]
    # Unset where one pipeline takes both.
    image_pipeline_class: ClassVar[type[Any] | None] = None
    # Passed to ``from_pretrained``, and to the constructor of the second pipeline.
    load_options: ClassVar[dict[str, object]] = {}
    pipe_options: ClassVar[dict[str, object]] = {}
    # Name of the denoiser among the pipeline's components.
    denoiser_name: ClassVar[str] = "unet"
    # How a picture of another aspect ratio reaches the model's size: centre crop, or white margins.
    fit: ClassVar[Literal["cover", "contain"]] = "cover"

    def __init__(self, entry: ModelEntry, text_pipeline: Any, image_pipeline: Any) -> None:
        self.entry = entry
        self.text_pipeline = text_pipeline
        self.image_pipeline = image_pipeline

    @classmethod
    def load(
        cls, entry: ModelEntry, *, device: torch.device, attention: AttentionBackend = "sdpa"
    ) -> Self:
        """Load the entry's weights.

        Raises:
            ModelUnavailable: they are missing, or do not belong to this family.
        """
        text = load_pipeline(cls.text_pipeline_class, entry, device, cls.load_options)
        image = text
        if cls.image_pipeline_class is not None:
            image = sibling(cls.image_pipeline_class, text, **cls.pipe_options)
        family = cls(entry, text, image)
        use_attention(family.denoiser, attention, device)
        return family

    @property
    def denoiser(self) -> Any:
        """The network that every denoising step calls."""
        return getattr(self.text_pipeline, self.denoiser_name)

    @property
    def vae(self) -> Any:
        """The autoencoder of the latents."""
        return self.text_pipeline.vae

    @property
    def device(self) -> torch.device:
        """Where the pipeline runs."""
        device: torch.device = self.text_pipeline.device
        return device

    def pipeline_for(self, request: GenerationRequest) -> Any:
        """The pipeline that makes this request's pictures."""
        return self.text_pipeline if request.image is None else self.image_pipeline

    def is_guided(self, request: GenerationRequest) -> bool:
        """Whether classifier-free guidance runs, and so a negative prompt is encoded."""
        return request.guidance_scale > 1.0

    def needs_picture(self, request: GenerationRequest) -> bool:
        """Whether the pipeline takes a picture for this request."""
        return request.image is not None

    def rows_per_image(self, request: GenerationRequest) -> int:
        """Denoiser rows that one image needs in every step."""
        return 2 if self.is_guided(request) else 1

    def pipeline_rows_per_image(self, request: GenerationRequest) -> int:
        """Rows that the pipeline asks the denoiser for: no fewer than the needed ones, first."""
        return self.rows_per_image(request)

    @abstractmethod
    def encode_prompt(self, text: str | list[str], *, negative: bool) -> PromptEmbeds:
        """Encode a prompt, or several, as arguments of the pipeline call with one row each."""

    def arguments(self, request: GenerationRequest) -> dict[str, Any]:
        """Arguments of the pipeline call that all requests of a batch share."""
        shared: dict[str, Any] = {
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance_scale,
        }
        if request.image is not None:
            return shared | {"strength": request.strength}
        return shared | {"height": request.height, "width": request.width}

    def unpack_latents(self, latents: torch.Tensor, request: GenerationRequest) -> torch.Tensor:
        """Latents as the pipeline holds them -> (B, C, h, w) as the autoencoder takes them."""
        del request
        config = self.vae.config
        mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
        scaled: torch.Tensor = latents / config.scaling_factor
        if mean is not None and std is not None:
            shape = (1, -1, 1, 1)
            scaled = scaled * latents.new_tensor(std).view(shape)
            return scaled + latents.new_tensor(mean).view(shape)
        return scaled + float(getattr(config, "shift_factor", None) or 0.0)
