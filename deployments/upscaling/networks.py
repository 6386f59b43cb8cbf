"""The two networks of Real-ESRGAN, and how they take ncnn weights.

Layers are named as in the original (https://github.com/xinntao/Real-ESRGAN, BSD-3-Clause) and are
defined in order of execution, which is the order of the weights in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, zip_longest

import torch
from torch import Tensor, nn
from torch.nn import functional

from deployments.upscaling.ncnn_weights import LayerWeights, NcnnFormatError

SCALE = 4
LEAKY_SLOPE = 0.2
RESIDUAL_SCALE = 0.2


class SRVGGNetCompact(nn.Module):
    """A stack of convolutions at the low resolution; the input, enlarged, is added at the end.

    (N, 3, H, W) in [0, 1] to (N, 3, 4H, 4W).
    """

    def __init__(self, *, features: int = 64, convolutions: int = 16) -> None:
        super().__init__()
        widths = [3] + [features] * (convolutions + 1)
        self.body = nn.Sequential()
        for width_in, width_out in pairwise(widths):
            self.body.append(nn.Conv2d(width_in, width_out, 3, padding=1))
            self.body.append(nn.PReLU(width_out))
        self.body.append(nn.Conv2d(features, 3 * SCALE**2, 3, padding=1))
        self.upsampler = nn.PixelShuffle(SCALE)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge."""
        residual: Tensor = self.upsampler(self.body(x))
        return residual + functional.interpolate(x, scale_factor=SCALE, mode="nearest")


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each fed with the outputs of all before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for index in range(5):
            width_out = growth if index < 4 else features
            layer = nn.Conv2d(features + index * growth, width_out, 3, padding=1)
            self.add_module(f"conv{index + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        seen = [x]
        *growing, last = self.children()
        for layer in growing:
            seen.append(functional.leaky_relu(layer(torch.cat(seen, 1)), LEAKY_SLOPE))
        out: Tensor = last(torch.cat(seen, 1))
        return out * RESIDUAL_SCALE + x


class RRDB(nn.Module):
    """Residual in residual dense block."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(features, growth)
        self.rdb2 = ResidualDenseBlock(features, growth)
        self.rdb3 = ResidualDenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        out: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return out * RESIDUAL_SCALE + x


class RRDBNet(nn.Module):
    """ESRGAN's generator. (N, 3, H, W) in [0, 1] to (N, 3, 4H, 4W)."""

    def __init__(self, *, blocks: int, features: int = 64, growth: int = 32) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        self.conv_up1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_up2 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge."""
        first = self.conv_first(x)
        features = first + self.conv_body(self.body(first))
        for layer in (self.conv_up1, self.conv_up2):
            enlarged = functional.interpolate(features, scale_factor=2, mode="nearest")
            features = functional.leaky_relu(layer(enlarged), LEAKY_SLOPE)
        features = functional.leaky_relu(self.conv_hr(features), LEAKY_SLOPE)
        out: Tensor = self.conv_last(features)
        return out


def load_weights(network: nn.Module, weights: Sequence[LayerWeights]) -> None:
    """Give each layer of the network its weights, one to one and in order.

    Raises:
        NcnnFormatError: the kind or the shape of a layer differs, or their number does.
    """
    layers = (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.PReLU))
    for layer, stored in zip_longest(layers, weights):
        if layer is None or stored is None:
            raise NcnnFormatError(f"{type(network).__name__}: the number of layers differs")
        _load_layer(layer, stored)


def _load_layer(layer: nn.Conv2d | nn.PReLU, stored: LayerWeights) -> None:
    kind = "Convolution" if isinstance(layer, nn.Conv2d) else "PReLU"
    bias = getattr(layer, "bias", None)
    fits = (
        stored.layer.type == kind
        and tuple(layer.weight.shape) == stored.weight.shape
        and (bias is None) == (stored.bias is None)
        and (kind == "PReLU" or stored.layer.integer(4) == 1)
    )
    if not fits:
        raise NcnnFormatError(
            f"{stored.layer.name} ({stored.layer.type} {stored.weight.shape}) does not fit {layer}"
        )
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(stored.weight))
        if bias is not None and stored.bias is not None:
            bias.copy_(torch.from_numpy(stored.bias))
