"""LoRA files for the bundled model, written without torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from configs.settings import CHECKOUT

_UNET = CHECKOUT / "configs/models/atelier-tiny/unet/diffusion_pytorch_model.safetensors"

Tensors = dict[str, np.ndarray]


def lora_tensors(*, rank: int = 4, seed: int = 0, layers: str = "to_q") -> Tensors:
    """Random factors for all layers of the denoiser with this name."""
    random = np.random.default_rng(seed)
    tensors: Tensors = {}
    with safe_open(_UNET, "np") as unet:
        for name in unet.keys():  # noqa: SIM118 - it is no mapping
            if name.endswith(f"{layers}.weight"):
                outputs, inputs = unet.get_slice(name).get_shape()
                layer = f"unet.{name.removesuffix('.weight')}"
                tensors[f"{layer}.lora_A.weight"] = _random(random, rank, inputs)
                tensors[f"{layer}.lora_B.weight"] = _random(random, outputs, rank)
    return tensors


def lora_file(
    tensors: Tensors | None = None, metadata: Mapping[str, str] | None = None, **options: int
) -> bytes:
    """A safetensors file of them, or of those of :func:`lora_tensors`."""
    chosen = lora_tensors(**options) if tensors is None else tensors  # type: ignore[arg-type]
    return save(chosen, dict(metadata) if metadata else None)


def _random(random: np.random.Generator, *shape: int) -> np.ndarray:
    return (random.standard_normal(shape) * 0.1).astype(np.float32)
