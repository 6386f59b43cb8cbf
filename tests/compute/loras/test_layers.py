"""What the names and shapes in a LoRA file say."""

from __future__ import annotations

from typing import Any

import pytest

from configs.catalog import ModelEntry, load_catalog
from configs.settings import Settings
from deployments.registry import FAMILIES
from serve_app.compute.loras.layers import _COMPONENTS, InvalidLora, check_fits, lora_layers
from serve_app.core.safetensors import Header

CATALOG = load_catalog(Settings(environment="test"))
TINY = CATALOG["atelier-tiny"]
LAYER = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


def shapes(down: str, up: str, sizes: tuple[int, int, int] = (4, 8, 16)) -> dict[str, Any]:
    rank, inputs, outputs = sizes
    return {down: (rank, inputs), up: (outputs, rank)}


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (f"unet.{LAYER}.lora_A.weight", f"unet.{LAYER}.lora_B.weight"),
        (f"unet.{LAYER}.lora_A.default.weight", f"unet.{LAYER}.lora_B.default.weight"),
        (f"unet.{LAYER}.lora.down.weight", f"unet.{LAYER}.lora.up.weight"),
        (f"unet.{LAYER}_lora.down.weight", f"unet.{LAYER}_lora.up.weight"),
        (
            "text_encoder.encoder.layers.0.mlp.fc1.lora_linear_layer.down.weight",
            "text_encoder.encoder.layers.0.mlp.fc1.lora_linear_layer.up.weight",
        ),
        ("lora_unet_mid_block_to_q.lora_down.weight", "lora_unet_mid_block_to_q.lora_up.weight"),
        (
            "double_blocks.0.processor.qkv_lora1.down.weight",
            "double_blocks.0.processor.qkv_lora1.up.weight",
        ),
    ],
)
def test_spellings_of_trainers(down: str, up: str) -> None:
    [layer] = lora_layers(Header(shapes(down, up), {}))
    assert (layer.rank, layer.down, layer.up) == (4, (4, 8), (16, 4))


def test_alphas_and_convolutions() -> None:
    found = lora_layers(
        Header(
            {
                "lora_unet_conv_in.lora_down.weight": (2, 4, 3, 3),
                "lora_unet_conv_in.lora_up.weight": (32, 2, 1, 1),
                "lora_unet_conv_in.alpha": (),
            },
            {},
        )
    )
    assert [layer.rank for layer in found] == [2]


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({}, "no tensors of a LoRA"),
        ({"unet.conv_in.weight": (3, 3)}, "'unet.conv_in.weight' is no part of a LoRA"),
        ({"a.alpha": ()}, "no tensors of a LoRA"),
        ({f"unet.{LAYER}.lora_A.weight": (4, 8)}, "has not the two factors"),
        (shapes("a.lora_A.weight", "b.lora_B.weight"), "has not the two factors"),
        (
            {"unet.a.lora_A.weight": (4, 8), "unet.a.lora_B.weight": (16, 5)},
            "are of rank 4 and 5",
        ),
        ({"unet.a.lora_A.weight": (0, 8), "unet.a.lora_B.weight": (16, 0)}, "rank 0 and 0"),
        ({"unet.a.lora_A.weight": (4,), "unet.a.lora_B.weight": (4,)}, "has not the two factors"),
        ({"lora_unet_a.lora_mid.weight": (4, 4)}, "only plain LoRAs"),
        ({"lora_unet_a.hada_w1_a": (4, 4)}, "a LoHa file"),
        ({"unet.a.lokr_w1": (4, 4)}, "a LoKr file"),
        ({"unet.a.lora_magnitude_vector": (4,)}, "a DoRA file"),
    ],
)
def test_what_is_no_lora(tensors: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidLora, match=words):
        lora_layers(Header(tensors, {}))


def fits(entry: ModelEntry, name: str, sizes: tuple[int, int, int]) -> None:
    down, up = f"{name}.lora_A.weight", f"{name}.lora_B.weight"
    check_fits(lora_layers(Header(shapes(down, up, sizes), {})), entry)


def test_layers_of_a_model_that_lies_here() -> None:
    own, shape = "down_blocks.1.resnets.0.time_emb_proj", (4, 512, 160)
    fits(TINY, f"unet.{own}", shape)
    fits(TINY, "lora_unet_" + own.replace(".", "_"), shape)
    fits(TINY, "text_encoder.text_model.encoder.layers.0.mlp.fc1", (4, 192, 768))
    # A spelling that whoever loads the file translates.
    fits(TINY, "lora_unet_input_blocks_1_1_proj_in", (4, 5, 6))
    for name, sizes, words in (
        (f"unet.{own}", (4, 512, 320), "changes 320 x 512 weights, and that of atelier-tiny"),
        ("lora_unet_" + own.replace(".", "_"), (4, 1280, 192), "has 160 x 512"),
        (f"unet.{own}_2", shape, "atelier-tiny has no layer"),
        ("transformer.single_blocks.0.to_q", shape, "another kind of model"),
        ("text_encoder_2.encoder.layers.0.mlp.fc1", shape, "another kind of model"),
        ("lora_unet_double_blocks_0_img_attn_qkv", shape, "another kind of model"),
        ("down_blocks.0.to_q", shape, "no component of a model"),
    ):
        with pytest.raises(InvalidLora, match=words):
            fits(TINY, name, sizes)


def test_a_model_that_lies_elsewhere_is_known_by_its_components() -> None:
    fits(CATALOG["sd-xl-base"], "unet.down_blocks.9.to_q", (4, 1, 2))
    fits(CATALOG["sd-xl-base"], "lora_te2_text_model_encoder_layers_0_mlp_fc1", (4, 1, 2))
    fits(CATALOG["flux-1-schnell"], "transformer.single_blocks.0.to_q", (4, 1, 2))
    for name in ("transformer.a", "double_blocks.0.a"):
        with pytest.raises(InvalidLora, match="another kind of model"):
            fits(CATALOG["sd-xl-base"], name, (4, 1, 2))


def test_every_family_has_components() -> None:
    assert _COMPONENTS.keys() == FAMILIES.keys()
