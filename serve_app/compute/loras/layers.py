"""What the names and shapes in a LoRA file say: its layers, its rank, whether a model has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from configs.catalog import ModelEntry
from configs.settings import CHECKOUT
from serve_app.core.errors import InvalidInput
from serve_app.core.safetensors import Header, read_header

# One factor of a layer's update, in the spelling of peft and diffusers (`lora_A`, `lora.down`), of
# older diffusers (`lora_linear_layer.down`), of kohya (`lora_down`) and of XLabs (`lora1.down`).
_FACTOR = re.compile(
    r"(?P<layer>.+?)[._]lora(?P<variant>\d?)(?:_linear_layer)?[._](?P<side>A|B|down|up)"
    r"\.(?:\w+\.)?weight"
)
_ALPHA = ".alpha"
# Parts of names of updates that are no products of two factors.
_OTHER_KINDS: Final[Mapping[str, str]] = {
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "lora_mid": "LoCon with a middle factor",
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "oft_": "OFT",
}
# Beginnings of names, the longer ones first, and the component of the model that they are of.
_PREFIXES: Final[Mapping[str, str]] = {
    "lora_unet_double_blocks_": "transformer",
    "lora_unet_single_blocks_": "transformer",
    "lora_transformer_": "transformer",
    "transformer.": "transformer",
    "double_blocks.": "transformer",
    "single_blocks.": "transformer",
    "text_encoder_2.": "text_encoder_2",
    "text_encoder.": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te1_": "text_encoder",
    "lora_te_": "text_encoder",
    "lora_unet_": "unet",
    "unet.": "unet",
}
# Components that an adapter may change, by family; the first is the denoiser.
_COMPONENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "sd": ("unet", "text_encoder"),
    "sd-instruct": ("unet", "text_encoder"),
    "sdxl": ("unet", "text_encoder", "text_encoder_2"),
    "flux": ("transformer", "text_encoder"),
}


class InvalidLora(InvalidInput):
    """The file is no LoRA that this platform can use; the text says why."""

    code = "invalid_lora"


@dataclass(frozen=True, slots=True)
class Layer:
    """The update of one layer: shapes of its factors, (rank, inputs, …) and (outputs, rank, …)."""

    name: str
    down: tuple[int, ...]
    up: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Of the update."""
        return self.down[0]


def lora_layers(header: Header) -> list[Layer]:
    """The layers of a file.

    Raises:
        InvalidLora: it has other tensors too, factors without their twin, or none at all.
    """
    factors: dict[tuple[str, str], dict[bool, tuple[int, ...]]] = {}
    for name, shape in header.shapes.items():
        if name.endswith(_ALPHA) and shape in {(), (1,)}:
            continue
        if other := next((kind for part, kind in _OTHER_KINDS.items() if part in name), None):
            raise InvalidLora(f"this is a {other} file; only plain LoRAs are taken")
        found = _FACTOR.fullmatch(name)
        if found is None:
            raise InvalidLora(f"the tensor {name[:100]!r} is no part of a LoRA")
        is_down = found["side"] in {"A", "down"}
        factors.setdefault((found["layer"], found["variant"]), {})[is_down] = shape
    if not factors:
        raise InvalidLora("the file has no tensors of a LoRA")
    return [_layer(name, sides) for (name, _), sides in factors.items()]


def _layer(name: str, sides: Mapping[bool, tuple[int, ...]]) -> Layer:
    down, up = sides.get(True, ()), sides.get(False, ())
    if not (len(down) == len(up) and len(down) in {2, 4}):
        raise InvalidLora(f"the layer {name[:100]!r} has not the two factors of a LoRA")
    if not down[0] == up[1] >= 1:
        raise InvalidLora(f"the factors of layer {name[:100]!r} are of rank {down[0]} and {up[1]}")
    return Layer(name, down, up)


def check_fits(layers: list[Layer], entry: ModelEntry) -> None:
    """Compare the layers with those of a model, as far as that is possible without loading it: the
    components for every model, names and shapes where its files lie here.

    Raises:
        InvalidLora: they are another model's.
    """
    weights = dict(_weights(entry))
    for layer in layers:
        component, name = _place(layer.name)
        if component not in _COMPONENTS[entry.family]:
            raise InvalidLora(f"the layer {layer.name[:100]!r} is of another kind of model")
        shape = weights.get((component, _flat(name)))
        if shape is not None:
            _check_shape(layer, shape, entry)
        elif weights and layer.name.startswith(f"{component}."):
            # Names of this spelling are the model's own; others are translated by who loads them.
            raise InvalidLora(f"{entry.name} has no layer {layer.name[:100]!r}")


def _check_shape(layer: Layer, weight: tuple[int, ...], entry: ModelEntry) -> None:
    kernel = weight[2:] if len(layer.down) == len(weight) else layer.down[2:]
    if (layer.up[0], layer.down[1], layer.down[2:]) != (weight[0], weight[1], kernel):
        raise InvalidLora(
            f"the layer {layer.name[:100]!r} changes {layer.up[0]} x {layer.down[1]} weights, and "
            f"that of {entry.name} has {weight[0]} x {weight[1]}"
        )


def _place(name: str) -> tuple[str, str]:
    for prefix, component in _PREFIXES.items():
        if name.startswith(prefix):
            return component, name.removeprefix(prefix)
    raise InvalidLora(f"the layer {name[:100]!r} is of no component of a model")


def _flat(name: str) -> str:
    """Of a layer, the same for every spelling of its name."""
    name = name.replace(".processor.to_out", ".to_out.0").replace(".processor.", ".")
    return name.replace(".", "_").removeprefix("text_model_")


def _weights(entry: ModelEntry) -> Iterator[tuple[tuple[str, str], tuple[int, ...]]]:
    """Shapes by component and layer of a model whose files lie here; of another one, none."""
    if entry.source is None or entry.source.path is None:
        return
    folder = CHECKOUT / Path(entry.source.path)
    for component in _COMPONENTS[entry.family]:
        for path in sorted((folder / component).glob("*.safetensors")):
            with path.open("rb") as file:
                shapes = read_header(file).shapes
            for name, shape in shapes.items():
                if name.endswith(".weight") and len(shape) >= 2:
                    yield (component, _flat(name.removesuffix(".weight"))), shape
