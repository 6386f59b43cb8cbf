"""LoRA adapters on a tiny checkpoint."""

import numpy as np
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from deployments.contracts import LoraRef
from deployments.errors import InvalidInput
from deployments.generation.loras import LoraAdapters


@pytest.fixture(scope="module")
def lora(checkpoint, tmp_path_factory):
    """``lora(name)``: a file with an adapter of random weights, strong enough to show."""
    from diffusers import StableDiffusionPipeline

    folder = tmp_path_factory.mktemp("loras")

    def make(name, seed=0, family="sd"):
        from diffusers import UNet2DConditionModel

        unet = UNet2DConditionModel.from_pretrained(checkpoint(family), subfolder="unet")
        unet.add_adapter(
            LoraConfig(r=4, target_modules=["to_q", "to_v"], init_lora_weights="gaussian")
        )
        generator = torch.Generator().manual_seed(seed)
        layers = {
            key: torch.randn(value.shape, generator=generator)
            for key, value in get_peft_model_state_dict(unet).items()
        }
        StableDiffusionPipeline.save_lora_weights(
            folder, unet_lora_layers=layers, weight_name=f"{name}.safetensors"
        )
        return LoraRef(name, str(folder / f"{name}.safetensors"))

    return make


def test_a_lora_shows_and_leaves_no_trace(engine, lora, make_request, run):
    subject, style = lora("subject", 1), lora("style", 2)

    def picture(*loras):
        [[*_, result]] = run(engine("sd"), make_request("sd", loras=loras))
        return result.images[0]

    plain, one, both = picture(), picture(subject), picture(subject, style)
    assert np.any(one != plain)
    assert np.any(both != one)
    np.testing.assert_array_equal(picture(), plain)
    np.testing.assert_array_equal(picture(subject), one)


def test_a_seed_gives_the_same_pixels_with_a_lora_too(engine, lora, make_request, run):
    loras = (lora("subject", 1),)
    [[*_, alone]] = run(engine("sd"), make_request("sd", loras=loras))
    *_, [*_, among] = run(
        engine("sd"),
        make_request("sd", "other", (4, 5), loras=loras),
        make_request("sd", loras=loras),
    )
    np.testing.assert_array_equal(among.images[0], alone.images[0])


@pytest.mark.parametrize("kind", ["missing", "not safetensors", "of another model"])
def test_a_bad_lora_is_the_requests_fault_and_leaves_no_trace(
    kind, engine, lora, make_request, run, tmp_path
):
    [[*_, before]] = run(engine("sd"), make_request("sd"))
    bad = LoraRef("bad", str(tmp_path / "bad.safetensors"))
    if kind == "not safetensors":
        (tmp_path / "bad.safetensors").write_bytes(b"no tensors in here")
    if kind == "of another model":
        bad = lora("bad", family="sdxl")
    with pytest.raises(InvalidInput, match="'bad'"):
        run(engine("sd"), make_request("sd", loras=(bad,)))
    [[*_, after]] = run(engine("sd"), make_request("sd"))
    np.testing.assert_array_equal(after.images[0], before.images[0])


def test_the_least_recently_used_adapter_is_dropped(checkpoint, lora):
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(
        checkpoint("sd"), safety_checker=None, requires_safety_checker=False
    )
    adapters = LoraAdapters(pipeline, capacity=2)
    for name in ("a", "b", "a", "c"):
        adapters.apply((lora(name),))
    [kept] = pipeline.get_list_adapters().values()
    assert len(kept) == 2
    assert not adapters.apply((lora("a"),))
    assert adapters.apply((lora("b"),))
