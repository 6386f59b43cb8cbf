"""LoRA files of random weights, as plain diffusers writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from deployments.contracts import LoraRef

ATTENTION = ("to_q", "to_k", "to_v")


def make_lora(
    checkpoint: Path,
    file: Path,
    *,
    seed: int = 0,
    rank: int = 4,
    alpha: float | None = None,
    layers: Sequence[str] = ATTENTION,
    text_layers: Sequence[str] = (),
    strength: float = 1.0,
    weight: float = 0.8,
) -> LoraRef:
    """Write a LoRA for the denoiser of a checkpoint, and for its first text encoder if
    ``text_layers`` are named.

    Args:
        alpha: of the update's scale; unset: as the rank, and then the file has no metadata.
        strength: standard deviation of the factors.
    """
    pipeline = DiffusionPipeline.from_pretrained(checkpoint, safety_checker=None)
    name = "transformer" if hasattr(pipeline, "transformer") else "unet"
    parts = {name: layers, "text_encoder": text_layers}
    arguments: dict[str, Any] = {}
    for part, targets in parts.items():
        if targets:
            config = LoraConfig(r=rank, lora_alpha=alpha or rank, target_modules=list(targets))
            module = getattr(pipeline, part)
            module.add_adapter(config)
            arguments[f"{part}_lora_layers"] = _random(module, seed, strength)
            if alpha is not None:
                arguments[f"{part}_lora_adapter_metadata"] = module.peft_config["default"].to_dict()
    type(pipeline).save_lora_weights(file.parent, weight_name=file.name, **arguments)
    return LoraRef.from_file(file, weight)


def _random(module: Any, seed: int, strength: float) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.randn(value.shape, generator=generator) * strength
        for key, value in get_peft_model_state_dict(module).items()
    }
