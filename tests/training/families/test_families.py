"""Every family learns, and its file changes what plain diffusers draws."""

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load

from training.contracts import Finished, Sample, Validation

PIPELINES = {
    "sd": diffusers.StableDiffusionPipeline,
    "sd-instruct": diffusers.StableDiffusionInstructPix2PixPipeline,
    "sdxl": diffusers.StableDiffusionXLPipeline,
    "flux": diffusers.FluxPipeline,
}
DENOISER = dict.fromkeys(PIPELINES, "unet") | {"flux": "transformer"}


def plain_pipeline(family, folder):
    checker = {"safety_checker": None, "requires_safety_checker": False}
    loaded = PIPELINES[family].from_pretrained(
        folder, dtype=torch.float32, **(checker if family in {"sd", "sd-instruct"} else {})
    )
    loaded.set_progress_bar_config(disable=True)
    return loaded


def draw(pipeline, family):
    size = {"image": torch.ones(1, 3, 48, 32)}
    if family != "sd-instruct":
        size = {"width": 32, "height": 48}
    if family == "flux":
        size["max_sequence_length"] = 16
    generator = torch.Generator().manual_seed(0)
    return pipeline(
        "ohwx, a dress", num_inference_steps=2, generator=generator, output_type="np", **size
    ).images[0]


@pytest.mark.parametrize(
    ("text", "whole"),
    [(False, False), (True, False), (False, True)],
    ids=["attention", "text encoders too", "whole blocks"],
)
@pytest.mark.parametrize("family", PIPELINES)
def test_it_learns_and_plain_diffusers_loads_the_file(
    family, text, whole, entry, make_request, run, tmp_path
):
    further = {"train_text_encoder": text, "train_whole_blocks": whole}
    request = make_request(f"tiny-{family}", steps=12, batch_size=5, alpha=8.0, **further)
    events = run(request)
    finished = events[-1]
    assert isinstance(finished, Finished)
    components = {name.partition(".")[0] for name in load(finished.weights)}
    encoders = {"text_encoder", "text_encoder_2"} if family == "sdxl" else {"text_encoder"}
    assert components == {DENOISER[family]} | (encoders if text else set())
    has_convolutions = any(value.ndim == 4 for value in load(finished.weights).values())
    assert has_convolutions == (whole and family != "flux")

    path = tmp_path / "pytorch_lora_weights.safetensors"
    path.write_bytes(finished.weights)
    pipeline = plain_pipeline(family, entry(family).source.location)
    before = draw(pipeline, family)
    pipeline.load_lora_weights(tmp_path)
    assert set(pipeline.get_list_adapters()) == components
    after = draw(pipeline, family)
    assert np.abs(after - before).max() > 1e-3
    pipeline.unload_lora_weights()
    np.testing.assert_array_equal(draw(pipeline, family), before)


@pytest.mark.parametrize("family", PIPELINES)
def test_the_loss_of_a_fixed_batch_falls(family, make_request, run, of):
    """The held-out picture is the one that is learned: timesteps and noise never change."""
    request = make_request(
        f"tiny-{family}",
        examples=make_request().examples[:1] * 5,
        steps=40,
        batch_size=5,
        learning_rate=5e-3,
        validation_split=0.2,
        sample_every=10,
    )
    first, *_, last = [event.loss for event in of(Validation, run(request))]
    assert last < 0.97 * first


@pytest.mark.parametrize("family", PIPELINES)
def test_samples_are_what_plain_diffusers_draws(family, entry, make_request, run, of, tmp_path):
    """With the adapter of that step, from the same seed and the catalog's settings."""
    request = make_request(f"tiny-{family}", steps=2, alpha=8.0, sample_prompts=("a dress",))
    events = run(request)
    [sample] = of(Sample, events)
    defaults = entry(family).defaults
    pipeline = plain_pipeline(family, entry(family).source.location)
    path = tmp_path / "pytorch_lora_weights.safetensors"
    path.write_bytes(events[-1].weights)
    pipeline.load_lora_weights(tmp_path)
    settings = {"width": defaults.width, "height": defaults.height}
    if family == "sd-instruct":
        settings = {"image": torch.ones(1, 3, 48, 32), "image_guidance_scale": 1.0}
    if family == "flux":
        settings["max_sequence_length"] = 16
    image = pipeline(
        "a dress",
        num_inference_steps=defaults.steps,
        guidance_scale=defaults.guidance_scale,
        generator=torch.Generator().manual_seed(sample.seed),
        output_type="np",
        **settings,
    ).images[0]
    assert np.abs(sample.image / 255 - image).max() < 0.02
