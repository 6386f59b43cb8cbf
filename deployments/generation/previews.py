"""Cheap previews: a linear map from latents to colours instead of the decoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from deployments.contracts import Pixels

MAX_SIDE = 128
_PATCH = 64


class LatentProjection:
    """Least-squares fit of colour on latents, so it suits any KL autoencoder.

    A latent pixel of C channels becomes ``latent @ weight + bias``, an RGB colour in [0, 1]. The
    fit is on solid, smoothly varying and chequered patches, because a preview shows areas and not
    textures; many of these are partly white, as the pictures are that products stand in.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight

    @classmethod
    @torch.inference_mode()
    def fit(cls, vae: Any, *, colours: int = 12, seed: int = 0) -> LatentProjection:
        """Encode ``colours`` random patches of each kind, and solve."""
        generator = torch.Generator().manual_seed(seed)
        solid = torch.rand(colours, 3, 1, 1, generator=generator).expand(-1, -1, _PATCH, _PATCH)
        coarse = torch.rand(colours, 3, 4, 4, generator=generator)
        smooth = functional.interpolate(coarse, size=(_PATCH, _PATCH), mode="bilinear")
        chequered = functional.interpolate(coarse, size=(_PATCH, _PATCH), mode="nearest")
        fields = torch.rand(colours, 1, 4, 4, generator=generator) < 0.5
        white = functional.interpolate(fields.float(), size=(_PATCH, _PATCH), mode="nearest")
        patches = torch.cat([solid, smooth, chequered, torch.maximum(solid, white)])
        parameter = next(vae.parameters())
        latents = torch.cat(
            [
                vae.encode(patch.to(parameter) * 2 - 1).latent_dist.mode().float().cpu()
                for patch in patches.split(4)
            ]
        )
        target = functional.adaptive_avg_pool2d(patches, (latents.shape[2], latents.shape[3]))
        inputs = latents.permute(0, 2, 3, 1).flatten(0, 2)
        inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
        outputs = target.permute(0, 2, 3, 1).flatten(0, 2)
        # A ridge keeps the solution small where channels carry no colour.
        gram = inputs.T @ inputs + 1e-3 * torch.eye(inputs.shape[1])
        return cls(torch.linalg.solve(gram, inputs.T @ outputs))

    @torch.inference_mode()
    def __call__(self, latents: torch.Tensor) -> Pixels:
        """(C, h, w), in the autoencoder's scale -> a picture whose longer side is <= 128 pixels."""
        channels = latents.float().cpu().permute(1, 2, 0)
        colours = (channels @ self._weight[:-1] + self._weight[-1]).clamp(0, 1)
        height, width = colours.shape[:2]
        scale = MAX_SIDE / max(height, width)
        picture = functional.interpolate(
            colours.permute(2, 0, 1)[None],
            size=(max(1, round(height * scale)), max(1, round(width * scale))),
            mode="bilinear",
            antialias=scale < 1,
        )[0]
        pixels: Pixels = (picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        return np.ascontiguousarray(pixels)
