"""Make a picture's bits independent of what else is computed beside it, on a CPU.

Measured with torch 2.13 and oneDNN, two threads: convolutions and attention give each row the same
bits in any batch of two or more rows. Three things do not: matrix products whose row count is the
batch size (the time and size embeddings), group norms over large channels-last maps (threads share
a row's sums), and convolutions over a single row. So the first are computed in blocks of one fixed
size, the second row by row, and a single row is computed twice. That costs next to nothing, where
padding the whole batch to a multiple of four would cost a third of a picture's time.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import nn
from torch.nn import functional

BLOCK = 8
# Pixels of a map from which torch lets threads share one row of a channels-last group norm.
SHARED_MAP = 1024
# Arguments of a denoiser whose first dimension is not the batch.
_NOT_BATCHED = frozenset({"txt_ids", "img_ids"})


class FixedBlockLinear(nn.Linear):
    """A linear layer that computes (rows, features) inputs in blocks of ``BLOCK`` rows."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        """(..., in_features) -> (..., out_features)."""
        if input.dim() != 2:
            return functional.linear(input, self.weight, self.bias)
        padded = functional.pad(input, (0, 0, 0, -len(input) % BLOCK))
        blocks = [functional.linear(b, self.weight, self.bias) for b in padded.split(BLOCK)]
        return torch.cat(blocks)[: len(input)]


class RowwiseGroupNorm(nn.GroupNorm):
    """A group norm that computes large maps one row at a time."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        """(B, C, H, W) -> the same shape."""
        if input.dim() != 4 or len(input) == 1 or input[0, 0].numel() < SHARED_MAP:
            return super().forward(input)
        return torch.cat([super(RowwiseGroupNorm, self).forward(row) for row in input.split(1)])


def make_rows_independent(module: nn.Module) -> None:
    """Turn plain linear layers and group norms below ``module`` into the ones here, in place."""
    for child in module.modules():
        if type(child) is nn.Linear:
            child.__class__ = FixedBlockLinear
        elif type(child) is nn.GroupNorm:
            child.__class__ = RowwiseGroupNorm


class DenoiserRows:
    """Decides which rows of a denoiser call are computed; hooks on the denoiser do it.

    Attributes:
        minimum: fewer rows than this are filled up with copies.
        groups: how many equal groups the pipeline's rows consist of (guidance), and
        needed: how many of them, from the first, have an effect; the rest repeat the last of these.
    """

    def __init__(self, denoiser: nn.Module, *, minimum: int) -> None:
        self.minimum = minimum
        self.groups = 1
        self.needed = 1
        self._asked = 0
        denoiser.register_forward_pre_hook(self._before, with_kwargs=True)
        denoiser.register_forward_hook(self._after)

    def _before(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        del module
        sample: torch.Tensor = args[0] if args else kwargs["hidden_states"]
        self._asked = len(sample)
        kept = self._asked * self.needed // self.groups
        if kept == self._asked and kept >= self.minimum:
            return None
        index = torch.arange(max(kept, self.minimum), device=sample.device) % kept
        return tuple(self._take(a, index) for a in args), {
            key: value if key in _NOT_BATCHED else self._take(value, index)
            for key, value in kwargs.items()
        }

    def _take(self, value: Any, index: torch.Tensor) -> Any:
        if isinstance(value, dict):
            return {key: self._take(item, index) for key, item in value.items()}
        if isinstance(value, torch.Tensor) and value.dim() and len(value) == self._asked:
            return value[index]
        return value

    def _after(self, module: nn.Module, args: object, output: Any) -> Any:
        del module, args
        sample: torch.Tensor = output[0]
        kept = self._asked * self.needed // self.groups
        if len(sample) == self._asked and kept == self._asked:
            return None
        group = self._asked // self.groups
        parts = [sample[:kept], *[sample[kept - group : kept]] * (self.groups - self.needed)]
        return (torch.cat(parts), *output[1:])


class CachedEncoder:
    """Replaces ``vae.encode``: one picture at a time, the last ones remembered.

    A product picture is encoded once for all the images and requests that show it.
    """

    def __init__(self, vae: Any, *, size: int = 32) -> None:
        self._encode = vae.encode
        self._size = size
        self._moments: OrderedDict[bytes, torch.Tensor] = OrderedDict()
        vae.encode = self.encode

    def encode(self, x: torch.Tensor, return_dict: bool = True) -> Any:
        """(B, 3, H, W) in [-1, 1] -> the distribution of its latents, as the autoencoder's own."""
        posterior = DiagonalGaussianDistribution(torch.cat([self._row(row) for row in x.split(1)]))
        return AutoencoderKLOutput(latent_dist=posterior) if return_dict else (posterior,)

    def _row(self, picture: torch.Tensor) -> torch.Tensor:
        flat = picture.detach().float().cpu().contiguous().numpy()
        # Equal bytes in another shape are another picture.
        shape = str(flat.shape[-1]).encode()
        key = hashlib.blake2b(flat.tobytes(), digest_size=16, person=shape).digest()
        if key not in self._moments:
            self._moments[key] = self._encode(picture).latent_dist.parameters
            if len(self._moments) > self._size:
                self._moments.popitem(last=False)
        self._moments.move_to_end(key)
        return self._moments[key]
