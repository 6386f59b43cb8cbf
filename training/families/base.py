"""The interface between the training loop and a model family.

The model is the one that generation uses: loaded, prompted and sampled through
`deployments.families`. What is here is what only training needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import torch
from torch import nn

from configs.catalog import ModelEntry
from deployments.contracts import GenerationRequest
from deployments.errors import ModelUnavailable
from deployments.families.base import Family
from deployments.registry import FAMILIES
from training.contracts import InvalidTraining, Pixels
from training.dataset import Frame
from training.objectives import Diffusion, Objective

# Keyword arguments of a pipeline call that carry encoded prompts, (n, …).
Prompts: TypeAlias = dict[str, torch.Tensor]
# What else the denoiser is told of each row, (n, …).
Conditions: TypeAlias = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Distribution:
    """What the autoencoder makes of pictures: a normal distribution, both (n, C, h, w) float32."""

    mean: torch.Tensor
    std: torch.Tensor


class Trainable(ABC):
    """One loaded model that adapters are trained for.

    Attributes:
        family: the model, as generation sees it.
        dtype: of the weights that stay as they are, and of the arithmetic.
    """

    # Layers of the denoiser that get an adapter, by the end of their names: those of its attention,
    # as in diffusers' own recipe.
    denoiser_targets: ClassVar[tuple[str, ...]] = ("to_q", "to_k", "to_v", "to_out.0")
    # What is left of a UNet's blocks: feed-forward layers, projections and convolutions.
    further_targets: ClassVar[tuple[str, ...]] = (
        *("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
        *("conv1", "conv2", "conv_shortcut", "time_emb_proj"),
    )
    # CLIP encoders that may get one, and their layers.
    text_encoders: ClassVar[tuple[str, ...]] = ("text_encoder",)
    text_targets: ClassVar[tuple[str, ...]] = ("q_proj", "k_proj", "v_proj", "out_proj")

    def __init__(self, family: Family, dtype: torch.dtype) -> None:
        self.family = family
        self.dtype = dtype
        for module in family.text_pipeline.components.values():
            if isinstance(module, nn.Module):
                module.requires_grad_(False).eval()
        # Half precision overflows in some autoencoders (SDXL's), and costs little here.
        family.vae.to(torch.float32)

    @classmethod
    def load(cls, entry: ModelEntry, device: torch.device, dtype: torch.dtype) -> Self:
        """Load the entry's weights.

        Raises:
            InvalidTraining: they are missing, or do not belong to this family.
        """
        name = str(dtype).removeprefix("torch.")
        try:
            family = FAMILIES.resolve(entry.family).load(
                entry.model_copy(update={"dtype": name}), device=device
            )
        except ModelUnavailable as error:
            raise InvalidTraining(str(error)) from error
        return cls(family, dtype)

    @property
    def pipeline(self) -> Any:
        """The diffusers pipeline."""
        return self.family.text_pipeline

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.family.device

    def adapted(self, *, text: bool, whole: bool) -> dict[str, tuple[nn.Module, tuple[str, ...]]]:
        """Modules that get an adapter and their target layers, by their name in a LoRA file.

        Args:
            text: of the text encoders as well.
            whole: of the denoiser's whole blocks, and not of their attention alone.
        """
        targets = self.denoiser_targets + (self.further_targets if whole else ())
        modules = {self.family.denoiser_name: (self.family.denoiser, targets)}
        if text:
            modules |= {
                name: (getattr(self.pipeline, name), self.text_targets)
                for name in self.text_encoders
            }
        return modules

    def autocast(self) -> torch.autocast:
        """Adapters are float32 whatever the model is; this lets them meet."""
        return torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32
        )

    def objective(self) -> Objective:
        """What the denoiser learns to predict."""
        return Diffusion(self.pipeline.scheduler.config, self.device)

    @torch.no_grad()
    def encode_pictures(self, pictures: Sequence[Pixels]) -> Distribution:
        """Pictures of one size → latents in the denoiser's scale."""
        pixels = torch.from_numpy(np.stack(pictures)).to(self.device)
        scaled = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        latents = self.family.vae.encode(scaled).latent_dist
        mean, std = latents.mean, latents.std
        config = self.family.vae.config
        if getattr(config, "latents_mean", None) is not None:
            shift = mean.new_tensor(config.latents_mean).view(1, -1, 1, 1)
            scale = config.scaling_factor / mean.new_tensor(config.latents_std).view(1, -1, 1, 1)
        else:
            shift = getattr(config, "shift_factor", None) or 0.0
            scale = config.scaling_factor
        return Distribution((mean - shift) * scale, std * scale)

    def encode_prompts(self, captions: Sequence[str]) -> Prompts:
        """Captions → what the pipeline makes of them; with gradients where encoders have adapters.

        Every distinct caption is encoded once.
        """
        distinct = list(dict.fromkeys(captions))
        encoded = self.family.encode_prompt(distinct, negative=False)
        rows = torch.tensor([distinct.index(caption) for caption in captions], device=self.device)
        return {name: values[rows] for name, values in encoded.items()}

    def conditions(self, frame: Frame, generator: torch.Generator) -> Conditions:
        """What else the denoiser is told of a picture, each (…): drawn anew in every step."""
        del frame, generator
        return {}

    @abstractmethod
    def denoise(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        prompts: Prompts,
        conditions: Conditions,
    ) -> torch.Tensor:
        """The denoiser's prediction, (n, C, h, w)."""

    @torch.no_grad()
    def sample(self, prompt: str, seed: int) -> Pixels:
        """A picture of the catalog's default size and steps, without a product picture."""
        family, request = self.family, self._request(prompt, seed)
        arguments: dict[str, Any] = family.encode_prompt(prompt, negative=False)
        if family.is_guided(request):
            arguments |= family.encode_prompt(request.negative_prompt, negative=True)
        if family.needs_picture(request):
            arguments["image"] = torch.ones(1, 3, request.height, request.width)
        arguments |= family.arguments(request)
        with self.autocast():
            latents = family.pipeline_for(request)(
                **arguments, generator=torch.Generator().manual_seed(seed), output_type="latent"
            ).images
        return self._decode(family.unpack_latents(latents, request))

    def _request(self, prompt: str, seed: int) -> GenerationRequest:
        entry = self.family.entry
        defaults: Mapping[str, Any] = entry.defaults.model_dump()
        return GenerationRequest("sample", entry.name, prompt, (seed,), **defaults)

    def _decode(self, latents: torch.Tensor) -> Pixels:
        decoded = self.family.vae.decode(latents.float(), return_dict=False)[0]
        pixels = (decoded[0].float() / 2 + 0.5).clamp(0, 1) * 255
        picture: Pixels = pixels.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        return np.ascontiguousarray(picture)
