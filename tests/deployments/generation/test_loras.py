"""LoRA adapters merged into tiny checkpoints."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deployments.contracts import LoraRef
from deployments.errors import InvalidInput
from tests.factories.loras import make_lora

# Every kind of layer that adapters are trained on, by family.
LAYERS = {
    "sd": ("to_q", "to_v", "conv1", "conv_shortcut", "proj_in", "ff.net.2", "time_emb_proj"),
    "sd-instruct": ("to_q", "to_k", "to_out.0", "conv2", "conv_in"),
    "sdxl": ("to_q", "to_k", "to_v", "ff.net.0.proj"),
    "flux": ("attn.to_q", "attn.to_k", "proj_mlp", "x_embedder"),
}


@pytest.fixture(scope="module")
def lora(checkpoint, tmp_path_factory):
    """``lora(name, seed, family)``: an adapter that is strong enough to show."""
    folder = tmp_path_factory.mktemp("loras")

    @cache
    def make(name, seed=0, family="sd", **options):
        return make_lora(checkpoint(family), folder / f"{name}.safetensors", seed=seed, **options)

    return make


@pytest.fixture
def picture_of(engine, make_request, run):
    """``picture_of(*loras)``: one picture of the tiny model, as bytes."""

    def make(*loras, family="sd", prompt="a red dress"):
        [[*_, result]] = run(engine(family), make_request(family, prompt, loras=loras))
        return result.images[0]

    return make


def test_a_lora_shows_and_leaves_no_trace(lora, picture_of):
    subject, style = lora("subject", 1), lora("style", 2)
    plain, one, both = picture_of(), picture_of(subject), picture_of(subject, style)
    assert np.any(one != plain)
    assert np.any(both != one)
    np.testing.assert_array_equal(picture_of(), plain)
    np.testing.assert_array_equal(picture_of(subject), one)
    np.testing.assert_array_equal(picture_of(style, subject), both)
    assert np.any(picture_of(replace(subject, weight=0.3)) != one)


def test_the_weights_are_the_base_ones_to_the_bit_again(checkpoint, lora, make_request, run):
    from deployments.generation.engine import GenerationEngine
    from tests.factories.checkpoints import tiny_entry

    engine = GenerationEngine(tiny_entry("sd", checkpoint("sd")))
    parts = [engine.family.denoiser, engine.family.text_pipeline.text_encoder]
    before = [{k: v.clone() for k, v in part.state_dict().items()} for part in parts]
    wide = lora("wide", 3, layers=LAYERS["sd"], text_layers=("q_proj", "fc1"))
    for loras in ((wide,), (lora("subject", 1), wide), (lora("style", 2),), ()):
        run(engine, make_request("sd", loras=loras))
    for part, states in zip(parts, before, strict=True):
        for key, value in part.state_dict().items():
            assert torch.equal(value, states[key]), key


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("family", ["sd", "sd-instruct"])
def test_a_seed_gives_the_same_pixels_with_a_lora_too(family, engine, lora, make_request, run):
    loras = (lora(f"all {family}", 1, family, layers=LAYERS[family]),)
    [[*_, alone]] = run(engine(family), make_request(family, loras=loras))
    for others in (2, 7):
        *_, [*_, among] = run(
            engine(family),
            make_request(family, "other", tuple(range(4, 4 + others)), loras=loras),
            make_request(family, loras=loras),
        )
        np.testing.assert_array_equal(among.images[0], alone.images[0])


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
@pytest.mark.parametrize("family", list(LAYERS))
def test_as_plain_diffusers_makes_it(family, checkpoint, lora, make_request, run, engine):
    from diffusers import DiffusionPipeline

    pair = (
        lora(f"a {family}", 1, family, layers=LAYERS[family], alpha=8.0, strength=0.3),
        lora(f"b {family}", 2, family, text_layers=("q_proj", "out_proj"), strength=0.5, rank=2),
    )
    pair = (replace(pair[0], weight=0.7), replace(pair[1], weight=-0.4))
    request = make_request(family, loras=pair, guidance_scale=4.0)
    [[*_, plain]] = run(engine(family), replace(request, loras=()))
    [[*_, ours]] = run(engine(family), request)

    pipeline = DiffusionPipeline.from_pretrained(checkpoint(family), safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    for name, one in zip("ab", pair, strict=True):
        pipeline.load_lora_weights(one.data.parent, weight_name=one.data.name, adapter_name=name)
    pipeline.set_adapters(["a", "b"], [one.weight for one in pair])
    shared = engine(family).family
    arguments = shared.arguments(replace(request, loras=()))
    if family == "sd-instruct":
        arguments["image"] = torch.ones(1, 3, request.height, request.width)
    if family == "flux":
        arguments["max_sequence_length"] = shared._sequence_length
    theirs = pipeline(
        request.prompt,
        generator=torch.Generator().manual_seed(request.seeds[0]),
        output_type="np",
        **arguments,
    ).images[0]
    difference = np.abs(ours.images[0] / 255.0 - theirs)
    assert difference.max() < 0.02
    assert np.abs(plain.images[0] / 255.0 - theirs).mean() > 5 * difference.mean()


def test_a_file_of_other_trainers(lora, picture_of, tmp_path):
    """kohya's names, and its alpha beside each layer."""
    ours = lora("subject", 1)
    weights = {}
    for key, value in load_file(ours.data).items():
        layer, factor, _ = key.removeprefix("unet.").rsplit(".", 2)
        name = "lora_unet_" + layer.replace(".", "_")
        weights[f"{name}.lora_{'down' if factor == 'lora_A' else 'up'}.weight"] = value
        weights[f"{name}.alpha"] = torch.tensor(2.0)
    save_file(weights, tmp_path / "kohya.safetensors")
    theirs = LoraRef.from_file(tmp_path / "kohya.safetensors", 0.8)
    np.testing.assert_allclose(picture_of(theirs), picture_of(replace(ours, weight=0.4)), atol=1)
    assert np.any(picture_of(theirs) != picture_of(ours))


def foreign(name: str, folder: Path, lora) -> LoraRef:
    """A file that no model here can use."""
    file = folder / "bad.safetensors"
    weights = load_file(lora("subject", 1).data)
    first = next(key for key in weights if "lora_A" in key)
    match name:
        case "missing":
            return LoraRef("bad", "0", data=file)
        case "not safetensors":
            file.write_bytes(b"no tensors in here")
        case "of another model":
            return replace(lora("sdxl", family="sdxl"), name="bad")
        case "no LoRA":
            save_file({"unet.conv_in.weight": torch.zeros(3, 3)}, file)
        case "not finite":
            save_file(weights | {first: torch.full_like(weights[first], float("nan"))}, file)
        case "DoRA":
            magnitudes = {
                key.replace("lora_B.weight", "lora_magnitude_vector"): torch.ones(len(value))
                for key, value in weights.items()
                if "lora_B" in key
            }
            save_file(weights | magnitudes, file)
    return replace(LoraRef.from_file(file), name="bad")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("missing", "is missing"),
        ("not safetensors", "cannot be loaded"),
        ("of another model", "cannot be loaded"),
        ("no LoRA", "cannot be loaded"),
        ("not finite", "not all finite"),
        ("DoRA", "DoRA"),
    ],
)
def test_a_bad_lora_is_the_requests_fault_and_leaves_no_trace(
    kind, text, lora, picture_of, tmp_path
):
    good = lora("subject", 1)
    before, with_good = picture_of(), picture_of(good)
    bad = foreign(kind, tmp_path, lora)
    for data in (bad.data, bad.data.read_bytes() if bad.data.is_file() else bad.data):
        with pytest.raises(InvalidInput, match=f"'bad' .*{text}"):
            picture_of(good, replace(bad, data=data))
    np.testing.assert_array_equal(picture_of(good), with_good)
    np.testing.assert_array_equal(picture_of(), before)
