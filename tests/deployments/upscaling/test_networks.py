"""Our torch networks compute what the ncnn graphs say, run node by node."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deployments.upscaling.engine import Upscaler
from deployments.upscaling.models import MODELS
from deployments.upscaling.ncnn_weights import (
    Layer,
    LayerWeights,
    NcnnFormatError,
    read_graph,
    read_weights,
)
from deployments.upscaling.networks import RRDBNet, SRVGGNetCompact, load_weights


def convolve(layer: Layer, inputs: list[Tensor], stored: LayerWeights | None) -> Tensor:
    assert stored is not None
    weight, bias = torch.from_numpy(stored.weight), torch.from_numpy(stored.bias)
    y = functional.conv2d(inputs[0], weight, bias, padding=layer.integer(4))
    return functional.leaky_relu(y, layer.params[10][0]) if layer.integer(9) == 2 else y


def enlarge(layer: Layer, inputs: list[Tensor], _: LayerWeights | None) -> Tensor:
    assert layer.integer(0) == 1  # nearest
    return functional.interpolate(inputs[0], scale_factor=layer.params[1], mode="nearest")


def add(layer: Layer, inputs: list[Tensor], _: LayerWeights | None) -> Tensor:
    factors = layer.params.get(1, (1, 1)) if layer.type == "Eltwise" else (1, 1)
    assert layer.integer(0) == (1 if layer.type == "Eltwise" else 0)
    return inputs[0] * factors[0] + inputs[1] * factors[1]


# What ncnn documents of each node: https://github.com/Tencent/ncnn/wiki/operators.
NODES = {
    "Split": lambda layer, inputs, stored: inputs[0],
    "Convolution": convolve,
    "PReLU": lambda layer, inputs, stored: functional.prelu(
        inputs[0], torch.from_numpy(stored.weight)
    ),
    "PixelShuffle": lambda layer, inputs, stored: functional.pixel_shuffle(
        inputs[0], layer.integer(0)
    ),
    "Interp": enlarge,
    "Concat": lambda layer, inputs, stored: torch.cat(inputs, 1),
    "BinaryOp": add,
    "Eltwise": add,
}


def run_graph(graph: tuple[Layer, ...], weights: list[LayerWeights], x: Tensor) -> Tensor:
    by_name = {stored.layer.name: stored for stored in weights}
    blobs = {"data": x}
    for layer in graph:
        if layer.type != "Input":
            y = NODES[layer.type](
                layer, [blobs[name] for name in layer.inputs], by_name.get(layer.name)
            )
            blobs.update(dict.fromkeys(layer.outputs, y))
    return blobs["output"]


@pytest.mark.parametrize("name", MODELS)
def test_network_equals_its_graph(name: str) -> None:
    graph_file, weights_file = MODELS[name].weight_files()
    graph = read_graph(graph_file)
    x = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    upscaler = Upscaler.load(MODELS[name], torch.device("cpu"))
    with torch.inference_mode():
        expected = run_graph(graph, read_weights(graph, weights_file), x)
        actual = upscaler._network(x)
    assert actual.shape == (1, 3, 20, 24)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def compact_weights() -> list[LayerWeights]:
    graph_file, weights_file = MODELS["realesr-animevideov3"].weight_files()
    return read_weights(read_graph(graph_file), weights_file)


@pytest.mark.parametrize(
    "network",
    [
        SRVGGNetCompact(convolutions=15),
        SRVGGNetCompact(convolutions=17),
        SRVGGNetCompact(features=48),
        RRDBNet(blocks=1),
    ],
    ids=["fewer layers", "more layers", "other widths", "other layers"],
)
def test_weights_of_another_network_are_refused(network: torch.nn.Module) -> None:
    with pytest.raises(NcnnFormatError):
        load_weights(network, compact_weights())


def test_an_exact_copy_is_required_of_the_last_layer_too() -> None:
    with pytest.raises(NcnnFormatError, match="number of layers differs"):
        load_weights(SRVGGNetCompact(), compact_weights()[:-1])
