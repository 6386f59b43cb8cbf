"""Read a LoRA file into the factors of its update, for any layout that diffusers understands."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from diffusers import ModelMixin
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from deployments.errors import InvalidInput

# Name of a pipeline's component, and of a layer in it.
LayerName: TypeAlias = tuple[str, str]

_ADAPTER = "adapter"


@dataclass(frozen=True, slots=True)
class Factors:
    """The update of one layer: ``scale * up @ down``.

    ``down`` is (rank, inputs) and ``up`` (outputs, rank); a convolution's inputs are its channels
    and the pixels of its kernel.
    """

    down: torch.Tensor
    up: torch.Tensor
    scale: float


@dataclass(frozen=True, slots=True)
class LoraFactors:
    """An adapter in memory, by layer."""

    layers: Mapping[LayerName, Factors]

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(one.down.nbytes + one.up.nbytes for one in self.layers.values())


class LoraReader:
    """Loads files as plain diffusers does, but into a skeleton of the pipeline and not into the
    pipeline itself: its parameters have shapes and no memory. So every layout, scale and rule for
    names is diffusers' own, and a bad file leaves no trace.

    Args:
        pipeline: one with a LoRA loader.
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._skeleton: Any = None

    def read(self, name: str, data: bytes | Path) -> LoraFactors:
        """The factors of a safetensors file.

        Args:
            name: of the adapter, for the errors.
            data: the file.

        Raises:
            InvalidInput: it is missing, no LoRA, or of another model.
        """
        if isinstance(data, bytes):
            with tempfile.TemporaryDirectory(prefix="sartiq-lora-") as folder:
                file = Path(folder, "weights.safetensors")
                file.write_bytes(data)
                return self.read(name, file)
        if not data.is_file():
            raise InvalidInput(f"LoRA {name!r} is missing: {data.name}")
        try:
            return self._read(data)
        except Exception as error:  # a foreign file can fail in any way, at any point
            self._skeleton = None
            raise InvalidInput(f"LoRA {name!r} cannot be loaded: {error}") from error

    def _read(self, file: Path) -> LoraFactors:
        if self._skeleton is None:
            self._skeleton = _skeleton(self._pipeline)
        skeleton = self._skeleton
        skeleton.load_lora_weights(
            str(file.parent), weight_name=file.name, use_safetensors=True, adapter_name=_ADAPTER
        )
        if getattr(skeleton, "_transformer_norm_layers", None):
            raise ValueError("it changes normalization layers, and not only adds to weights")
        layers = {
            (component, path): _factors(layer)
            for component, module in _components(skeleton)
            for path, layer in module.named_modules()
            if isinstance(layer, BaseTunerLayer)
        }
        skeleton.unload_lora_weights()
        # A file without one key for this model loads without an error.
        if not layers:
            raise ValueError("it has no weights for this model")
        return LoraFactors(layers)


def _factors(layer: BaseTunerLayer) -> Factors:
    if not isinstance(layer, LoraLayer) or layer.use_dora.get(_ADAPTER):
        raise ValueError("only plain LoRA layers are supported, not DoRA, LoKr and others")
    if layer.lora_bias.get(_ADAPTER):
        raise ValueError("it changes biases, and not only weights")
    down, up = layer.lora_A[_ADAPTER].weight, layer.lora_B[_ADAPTER].weight
    if not (torch.isfinite(down).all() and torch.isfinite(up).all()):
        raise ValueError("its weights are not all finite numbers")
    # Copies, so that the file's memory is given back.
    return Factors(
        down.detach().flatten(1).clone(),
        up.detach().flatten(1).clone(),
        float(layer.scaling[_ADAPTER]),
    )


def _skeleton(pipeline: Any) -> Any:
    """A copy of the pipeline whose components can take adapters but cannot compute."""
    skeleton = copy.copy(pipeline)
    for name, component in _components(pipeline):
        with torch.device("meta"):
            if isinstance(component, ModelMixin):
                hollow = type(component).from_config(component.config)
            else:  # of transformers
                hollow = type(component)(component.config)
        dtype = next(component.parameters()).dtype
        for module in hollow.modules():
            _materialize(module, dtype)
        setattr(skeleton, name, hollow)
    return skeleton


def _materialize(module: nn.Module, dtype: torch.dtype) -> None:
    """Give parameters their shape over one element's memory."""
    for name, parameter in module.named_parameters(recurse=False):
        element = torch.zeros((), dtype=dtype).expand(parameter.shape)
        setattr(module, name, nn.Parameter(element, requires_grad=False))
    for name, buffer in module.named_buffers(recurse=False):
        setattr(module, name, torch.zeros_like(buffer, device="cpu"))


def _components(pipeline: Any) -> Iterator[tuple[str, nn.Module]]:
    """Those that may have adapters; diffusers keeps the names in no public place."""
    for name in pipeline._lora_loadable_modules:
        if (component := getattr(pipeline, name, None)) is not None:
            yield name, component
