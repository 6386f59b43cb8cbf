"""Pictures in and out of a pipeline."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps

from deployments.contracts import Pixels

WHITE = (255, 255, 255)


def as_condition(
    pixels: Pixels | None, width: int, height: int, fit: Literal["cover", "contain"]
) -> torch.Tensor:
    """A picture of any size -> (1, 3, height, width) in [0, 1]; ``None`` -> a white one.

    An alpha channel is laid over white.
    """
    if pixels is None:
        return torch.ones(1, 3, height, width)
    picture = Image.fromarray(pixels)
    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, (*WHITE, 255))
        picture = Image.alpha_composite(ground, picture).convert("RGB")
    if picture.size != (width, height):
        size = (width, height)
        if fit == "cover":
            picture = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
        else:
            picture = ImageOps.pad(picture, size, Image.Resampling.LANCZOS, color=WHITE)
    array = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    return array[None].float() / 255


def as_pixels(decoded: torch.Tensor) -> list[Pixels]:
    """(B, 3, H, W) in [-1, 1] -> B arrays of bytes."""
    scaled = (decoded.float() / 2 + 0.5).clamp(0, 1) * 255
    array = scaled.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [np.ascontiguousarray(picture) for picture in array]
