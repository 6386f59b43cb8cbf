"""Compute once what the rows of classifier-free guidance have in common.

With and without a prompt, a picture's rows are the same up to the first layer that sees the prompt.
What comes before it, in a UNet its most expensive maps, is computed for one of them and copied.
Exact: the rows of a layer do not depend on each other (``invariance.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


class SharedPrefix:
    """Hooks on the layers of a UNet that come before its first cross-attention.

    Other denoisers have no such layers, and are left as they are.

    Args:
        denoiser: of a pipeline.
        minimum: of rows that a layer may compute.
    """

    def __init__(self, denoiser: nn.Module, *, minimum: int) -> None:
        self._minimum = minimum
        # Rows at the front that the following ones repeat, in the call that runs in this thread.
        self._calls = threading.local()
        for layer in _layers_before_attention(denoiser):
            layer.register_forward_pre_hook(self._leave_out)
            layer.register_forward_hook(self._put_back)

    def look(self, sample: torch.Tensor, conditions: dict[str, Any], groups: int) -> None:
        """Before a call: whether the first two of its ``groups`` of rows begin alike."""
        group = len(sample) // groups
        # Whatever else describes a row enters with the time embedding, before these layers.
        alike = (
            groups > 1
            and len(sample) - group >= self._minimum
            and not conditions.get("added_cond_kwargs")
            and conditions.get("class_labels") is None
            and torch.equal(sample[:group], sample[group : 2 * group])
        )
        self._calls.repeated = group if alike else 0

    def _leave_out(self, layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        del layer
        repeated = self._calls.repeated
        return tuple(value[repeated:] for value in args) if repeated else None

    def _put_back(self, layer: nn.Module, args: object, output: torch.Tensor) -> Any:
        del layer, args
        repeated = self._calls.repeated
        return torch.cat([output[:repeated], output]) if repeated else None


def _layers_before_attention(denoiser: Any) -> Iterator[nn.Module]:
    if not hasattr(denoiser, "down_blocks"):
        return
    yield denoiser.conv_in
    for block in denoiser.down_blocks:
        if getattr(block, "attentions", None):
            yield block.resnets[0]
            return
        yield from block.resnets
        yield from block.downsamplers or ()
