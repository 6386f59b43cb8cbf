"""The LoRA layers of one run, and the file that they are handed out in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from peft import LoraConfig
from safetensors.torch import save
from torch import nn

from training.contracts import InvalidTraining
from training.draws import generator
from training.families.base import Trainable

# By name in a LoRA file: component, layer, "lora_A" or "lora_B".
Weights: TypeAlias = dict[str, torch.Tensor]

_ADAPTER = "default"


class Adapter:
    """LoRA layers (Hu et al., 2021) in a loaded model, float32.

    The down-projection starts normal with deviation ``1 / rank``, as in diffusers' recipes, the
    up-projection at zero: an untrained adapter changes nothing.

    Args:
        model: gets the layers.
        rank, alpha: the update is scaled by ``alpha / rank``.
        text: adapt the text encoders as well.
        whole: adapt the denoiser's whole blocks, and not their attention alone.
        seed: of the down-projections.

    Raises:
        InvalidTraining: the model has no layers of the names that its family adapts.
    """

    def __init__(
        self, model: Trainable, *, rank: int, alpha: float, text: bool, whole: bool, seed: int
    ) -> None:
        self._scale = alpha / rank
        self._dtype = model.dtype
        self.parameters: dict[str, nn.Parameter] = {}
        for component, (module, targets) in model.adapted(text=text, whole=whole).items():
            config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets))
            inject: Callable[..., None] = module.add_adapter  # type: ignore[assignment]
            try:
                inject(config, adapter_name=_ADAPTER)
            except ValueError as error:
                raise InvalidTraining(f"{component} cannot be adapted: {error}") from error
            for name, parameter in module.named_parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.float()
                    key = re.sub(rf"\.{_ADAPTER}\b", "", f"{component}.{name}")
                    self.parameters[key] = parameter
        self._initialize(rank, seed)

    @torch.no_grad()
    def _initialize(self, rank: int, seed: int) -> None:
        for name, parameter in self.parameters.items():
            if ".lora_B." in name:
                parameter.zero_()
            else:
                draw = torch.randn(parameter.shape, generator=generator(seed, "adapter", name))
                parameter.copy_(draw / rank)

    def weights(self) -> Weights:
        """A copy of the layers, on the CPU."""
        return {
            name: parameter.detach().to("cpu", copy=True)
            for name, parameter in self.parameters.items()
        }

    @torch.no_grad()
    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over the layers of `weights`."""
        for name, parameter in self.parameters.items():
            parameter.copy_(weights[name])

    def file(self, weights: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
        """``pytorch_lora_weights.safetensors``, in the model's precision.

        ``alpha / rank`` is multiplied into the up-projections. A reader that finds no alpha takes
        it to be the rank, so that the file means the same to every program.
        """
        scaled = {
            name: (value * self._scale if ".lora_B." in name else value).to(self._dtype)
            for name, value in weights.items()
        }
        return _in_order(save(scaled, metadata={"format": "pt", **metadata}))


def _in_order(file: bytes) -> bytes:
    """The same file with a sorted header: safetensors shuffles the metadata on every call."""
    length = int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8 : 8 + length]), sort_keys=True, separators=(",", ":"))
    padded = header.encode() + b" " * (-len(header.encode()) % 8)
    return len(padded).to_bytes(8, "little") + padded + file[8 + length :]
