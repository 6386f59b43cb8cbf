"""Read the ncnn model format: a ``.param`` text graph beside a ``.bin`` of its weights.

Format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure. Weights are read of the
layers that super-resolution networks use, stored as float16 or float32; a file that holds anything
else is refused rather than guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

PARAM_MAGIC = "7767517"
FLOAT32_FLAG = 0
FLOAT16_FLAG = 0x01306B47
# Keys of array parameters are stored as -23300 - key.
ARRAY_KEY = -23300

Floats: TypeAlias = npt.NDArray[np.float32]
Number: TypeAlias = int | float


class NcnnFormatError(ValueError):
    """The file is not an ncnn model that this reader understands; the text says where."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One node of the graph; the meaning of ``params``' keys depends on ``type``."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, Number | tuple[Number, ...]]

    def integer(self, key: int, default: int = 0) -> int:
        """An integer parameter."""
        value = self.params.get(key, default)
        if not isinstance(value, int):
            raise NcnnFormatError(f"{self.name}: parameter {key} is {value!r}, not an integer")
        return value


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """Weights of one layer.

    Attributes:
        layer: the node they belong to.
        weight: convolution (out, in, kernel height, kernel width); PReLU slopes (channels,).
        bias: (out,), or None where the layer has none.
    """

    layer: Layer
    weight: Floats
    bias: Floats | None


def read_graph(path: Path) -> tuple[Layer, ...]:
    """Parse a ``.param`` file, in order of execution.

    Raises:
        NcnnFormatError: wrong magic number, or not as many layers as it announces.
    """
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    if len(lines) < 2 or lines[0] != [PARAM_MAGIC]:
        raise NcnnFormatError(f"{path.name}: not a .param file of the current version")
    layers = tuple(_parse_layer(fields) for fields in lines[2:])
    if len(layers) != int(lines[1][0]):
        raise NcnnFormatError(f"{path.name}: {len(layers)} layers, {lines[1][0]} announced")
    return layers


def _parse_layer(fields: list[str]) -> Layer:
    kind, name, inputs, outputs = fields[0], fields[1], int(fields[2]), int(fields[3])
    blobs = fields[4 : 4 + inputs + outputs]
    params: dict[int, Number | tuple[Number, ...]] = {}
    for field in fields[4 + inputs + outputs :]:
        key, _, text = field.partition("=")
        if int(key) <= ARRAY_KEY:
            count, *values = text.split(",")
            if len(values) != int(count):
                raise NcnnFormatError(f"{name}: array {key} is not {count} long")
            params[ARRAY_KEY - int(key)] = tuple(map(_number, values))
        else:
            params[int(key)] = _number(text)
    return Layer(kind, name, tuple(blobs[:inputs]), tuple(blobs[inputs:]), params)


def _number(text: str) -> Number:
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def read_weights(graph: Iterable[Layer], path: Path) -> list[LayerWeights]:
    """Read the ``.bin`` of a graph: the weights of every layer that has some, in its order.

    Raises:
        NcnnFormatError: too few bytes, too many, or a storage that is neither float16 nor float32.
    """
    reader = _BinReader(path.name, path.read_bytes())
    weights = []
    for layer in graph:
        if layer.type == "Convolution":
            weights.append(_read_convolution(layer, reader))
        elif layer.type == "PReLU":
            slopes = reader.floats(layer.integer(0))
            weights.append(LayerWeights(layer, slopes, bias=None))
    reader.expect_end()
    return weights


def _read_convolution(layer: Layer, reader: _BinReader) -> LayerWeights:
    out_channels, kernel, size = layer.integer(0), layer.integer(1), layer.integer(6)
    in_channels, rest = divmod(size, out_channels * kernel * kernel)
    if rest or layer.integer(11, kernel) != kernel:
        raise NcnnFormatError(f"{layer.name}: {size} weights are no square convolution")
    weight = reader.flagged(size).reshape(out_channels, in_channels, kernel, kernel)
    bias = reader.floats(out_channels) if layer.integer(5) else None
    return LayerWeights(layer, weight, bias)


class _BinReader:
    """A cursor over the bytes of a ``.bin``."""

    def __init__(self, name: str, data: bytes) -> None:
        self._name = name
        self._data = data
        self._at = 0

    def flagged(self, count: int) -> Floats:
        """An array behind the four bytes that say how it is stored, padded to four bytes."""
        flag = int.from_bytes(self._take(4), "little")
        if flag == FLOAT32_FLAG:
            return self.floats(count)
        if flag != FLOAT16_FLAG:
            raise NcnnFormatError(f"{self._name}: unsupported weight storage {flag:#010x}")
        values = np.frombuffer(self._take(2 * count), "<f2")
        self._take(-2 * count % 4)
        return values.astype(np.float32)

    def floats(self, count: int) -> Floats:
        """A bare float32 array."""
        return np.frombuffer(self._take(4 * count), "<f4").astype(np.float32)

    def expect_end(self) -> None:
        if self._at != len(self._data):
            raise NcnnFormatError(f"{self._name}: {len(self._data) - self._at} bytes left over")

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise NcnnFormatError(f"{self._name}: ends {size - len(taken)} bytes too soon")
        self._at += size
        return taken
