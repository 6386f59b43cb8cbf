"""Enlarge a picture of any size by two, three or four, tile by tile."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise, product
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from deployments.contracts import Pixels, Progress, Result
from deployments.errors import InvalidInput
from deployments.upscaling.models import DISTRIBUTION, UpscalerModel
from deployments.upscaling.ncnn_weights import read_graph, read_weights
from deployments.upscaling.networks import SCALE, RRDBNet, SRVGGNetCompact, load_weights

SCALES = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class _Tile:
    """A rectangle of the input, in pixels; its halo lies outside."""

    top: int
    left: int
    height: int
    width: int


class Upscaler:
    """One Real-ESRGAN network on one device.

    Tiles overlap by the model's halo and only their inner part is kept, so that no seam shows;
    beyond the border the picture is mirrored. Equal pictures give equal results on one device.

    Args:
        model: what ``network`` is.
        network: maps (N, 3, H, W) in [0, 1] to four times the size.
        device: where it runs; half precision, as the weights are stored, on CUDA.
        tile: overrides the model's tile side.
    """

    def __init__(
        self,
        model: UpscalerModel,
        network: nn.Module,
        device: torch.device,
        *,
        tile: int | None = None,
    ) -> None:
        self.model = model
        self._tile = tile or model.tile
        self._device = device
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32
        network = network.to(device, self._dtype).eval().requires_grad_(False)
        # Twice as fast as the default layout on a CPU, and what pictures arrive in.
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def load(cls, model: UpscalerModel, device: torch.device, *, tile: int | None = None) -> Self:
        """Build the network and convert its weights.

        Raises:
            ModelUnavailable: the weights are not installed.
            NcnnFormatError: they are not what the model says.
        """
        param, weights = model.weight_files()
        network = (
            SRVGGNetCompact(convolutions=model.blocks)
            if model.architecture == "compact"
            else RRDBNet(blocks=model.blocks)
        )
        load_weights(network, read_weights(read_graph(param), weights))
        return cls(model, network, device, tile=tile)

    def upscale(self, image: Pixels, scale: int) -> Iterator[Progress | Result]:
        """Enlarge; one ``Progress`` per tile, then the ``Result``. Closing the iterator stops it.

        Args:
            image: (H, W, 3) or (H, W, 4) of any size; alpha is enlarged by the network as well.
            scale: 2, 3 or 4.

        Raises:
            InvalidInput: another scale, or not such an array.
        """
        _check(image, scale)
        started = time.perf_counter()
        height, width, channels = image.shape
        layers = self._layers(image)
        out = np.empty((height * scale, width * scale, channels), np.uint8)
        out[..., 3:] = 255
        tiles = list(self._tiles(height, width))
        for step, tile in enumerate(tiles, start=1):
            area = out[
                tile.top * scale : (tile.top + tile.height) * scale,
                tile.left * scale : (tile.left + tile.width) * scale,
            ]
            enlarged = self._enlarge(layers, tile, scale)
            area[..., :3] = enlarged[0]
            if len(enlarged) > 1:
                area[..., 3] = enlarged[1].mean(axis=-1).round()
            yield Progress(step / len(tiles), step, len(tiles))
        yield Result(
            (out,),
            {
                "model": self.model.name,
                "weights": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
                "torch": torch.__version__,
                "scale": scale,
                "tiles": len(tiles),
                "seconds": round(time.perf_counter() - started, 3),
            },
        )

    def _layers(self, image: Pixels) -> Pixels:
        """What the network sees: (1 or 2, H, W, 3), mirrored by a halo; second is alpha as grey."""
        layers = [image[..., :3]]
        if image.shape[2] == 4 and (image[..., 3] != 255).any():
            layers.append(np.repeat(image[..., 3:], 3, axis=2))
        halo = (self.model.halo, self.model.halo)
        padded: Pixels = np.pad(np.stack(layers), ((0, 0), halo, halo, (0, 0)), mode="reflect")
        return padded

    def _tiles(self, height: int, width: int) -> Iterator[_Tile]:
        rows, columns = _split(height, self._tile), _split(width, self._tile)
        for (top, bottom), (left, right) in product(pairwise(rows), pairwise(columns)):
            yield _Tile(top, left, bottom - top, right - left)

    @torch.inference_mode()
    def _enlarge(self, layers: Pixels, tile: _Tile, scale: int) -> Pixels:
        """(N, tile height * scale, tile width * scale, 3) of a tile, its halo cut off."""
        around = 2 * self.model.halo
        patch = layers[
            :,
            tile.top : tile.top + tile.height + around,
            tile.left : tile.left + tile.width + around,
        ]
        x = torch.from_numpy(np.ascontiguousarray(patch)).to(self._device)
        y: Tensor = self._network(x.permute(0, 3, 1, 2).to(self._dtype) / 255)
        y = y.float().clamp(0, 1)
        if scale != SCALE:
            size = [patch.shape[1] * scale, patch.shape[2] * scale]
            y = functional.interpolate(y, size=size, mode="bicubic", antialias=True)
        cut = self.model.halo * scale
        y = y[:, :, cut:-cut, cut:-cut].clamp(0, 1).mul(255).round()
        pixels: Pixels = y.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return pixels


def _split(length: int, side: int) -> list[int]:
    """Bounds of the fewest near-equal parts of at most ``side``."""
    parts = math.ceil(length / side)
    return [length * part // parts for part in range(parts + 1)]


def _check(image: Pixels, scale: int) -> None:
    if scale not in SCALES:
        raise InvalidInput(f"scale is 2, 3 or 4, not {scale}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in {3, 4} or not image.size:
        raise InvalidInput(f"expected RGB or RGBA bytes, not {image.dtype} {image.shape}")
