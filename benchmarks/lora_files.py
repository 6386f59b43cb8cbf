"""LoRA files for a benchmark: random factors for the attention layers of a model that lies here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from configs.catalog import ModelEntry
from configs.settings import CHECKOUT

_LAYERS = ("to_q", "to_k", "to_v", "to_out.0")
# Weak, so that pictures stay pictures.
_DEVIATION = 0.02


def random_lora(entry: ModelEntry, seed: int, rank: int = 16) -> bytes:
    """A file as diffusers writes it; another one for every seed."""
    assert entry.weights.path is not None, "its layers must be known"
    folder = CHECKOUT / Path(entry.weights.path) / "unet"
    random = np.random.default_rng(seed)
    tensors = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "np") as unet:
            for name in unet.keys():  # noqa: SIM118 - it is no mapping
                layer = name.removesuffix(".weight")
                if name != layer and layer.endswith(_LAYERS):
                    outputs, inputs = unet.get_slice(name).get_shape()
                    sides = {"A": (rank, inputs), "B": (outputs, rank)}
                    for side, shape in sides.items():
                        factor = random.standard_normal(shape).astype(np.float32)
                        tensors[f"unet.{layer}.lora_{side}.weight"] = factor * _DEVIATION
    content: bytes = save(tensors)
    return content
