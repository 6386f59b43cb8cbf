"""Every stage at toy size, and what an interruption may not change."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image
from pydantic import ValidationError

from tests.factories.pretraining import CONFIGS, toy
from training.pretraining import alignment, autoencoder, denoiser, latents
from training.pretraining.config import OptimizerConfig, PretrainingConfig
from training.pretraining.continuation import start_from
from training.pretraining.export import export
from training.pretraining.optimization import schedule
from training.pretraining.renders import draw_all, load_renders
from training.pretraining.workspace import Workspace, load_state, read_log

pytestmark = pytest.mark.filterwarnings("default")


def copy_of(workspace: Workspace, tmp_path: Path, *names: str) -> Workspace:
    tmp_path.mkdir(exist_ok=True)
    for name in names:
        (tmp_path / name).symlink_to(workspace.root / name)
    return Workspace(tmp_path)


def assert_same(first, second):
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_an_interrupted_autoencoder_ends_with_the_same_weights(trained, tmp_path):
    config, workspace = trained
    other = copy_of(workspace, tmp_path, "renders")
    autoencoder.train(config, other, stop=2)
    autoencoder.train(config, other)
    whole, parts = load_state(workspace.autoencoder), load_state(other.autoencoder)
    assert parts["step"] == whole["step"] == config.autoencoder.steps
    assert_same(whole["modules"][0], parts["modules"][0])
    assert all(map(torch.equal, whole["average"], parts["average"]))


def test_an_interrupted_denoiser_ends_with_the_same_weights(trained, tmp_path):
    config, workspace = trained
    other = copy_of(workspace, tmp_path, "renders", "latents", "tokenizer", "text_encoder.pt")
    denoiser.train(config, other, stop=3)
    denoiser.train(config, other)
    whole, parts = load_state(workspace.denoiser), load_state(other.denoiser)
    for first, second in zip(whole["modules"], parts["modules"], strict=True):
        assert_same(first, second)


def test_an_interrupted_alignment_ends_with_the_same_weights(trained, tmp_path):
    config, workspace = trained
    kept = ("latents", "tokenizer", "text_encoder.pt", "denoiser.pt", "reward.pt")
    other = copy_of(workspace, tmp_path, *kept)
    alignment.train(config, other, stop=3)
    alignment.train(config, other)
    whole, parts = load_state(workspace.alignment), load_state(other.alignment)
    for first, second in zip(whole["modules"], parts["modules"], strict=True):
        assert_same(first, second)


def test_finished_renders_are_not_drawn_again(trained):
    config, workspace = trained
    pictures = load_renders(config, workspace)
    before = pictures.on_model[0].copy()
    try:
        pictures.on_model[0] = 0
        draw_all(config, workspace)
        assert not pictures.on_model[0].any()
    finally:
        pictures.on_model[0] = before
    assert all(picture.any() for picture in pictures.product)


def test_missing_renders_are_not_taken_for_black_pictures(trained, tmp_path):
    config, workspace = trained
    other = Workspace(tmp_path)
    shutil.copytree(workspace.renders, other.renders)
    next(other.renders.glob("*.done")).unlink()
    with pytest.raises(FileNotFoundError, match="1 of 1 parts of the renders are missing"):
        load_renders(config, other)


def test_folding_keeps_reconstructions_and_makes_latents_normal(trained):
    config, workspace = trained
    pictures = np.array(load_renders(config, workspace).on_model)
    before = autoencoder.load(config, workspace)
    after = autoencoder.load(config, workspace)
    latents.normalize(after, pictures)
    sample = autoencoder.to_tensor(pictures)
    with torch.no_grad():
        unscaled = before.encode(sample).latent_dist.mode().std((0, 2, 3))
        modes = after.encode(sample).latent_dist.mode()
        restored = [m.decode(m.encode(sample).latent_dist.mode()).sample for m in (before, after)]
    assert torch.allclose(modes.mean((0, 2, 3)), torch.zeros(modes.shape[1]), atol=1e-3)
    deviations = modes.std((0, 2, 3))
    assert deviations.square().mean() == pytest.approx(1, abs=1e-2)
    # No channel is made larger or smaller than the others.
    assert torch.allclose(deviations / deviations.max(), unscaled / unscaled.max(), atol=1e-3)
    assert torch.allclose(restored[0], restored[1], atol=1e-3)


def test_dropped_products_are_zero_or_blank(trained):
    config, workspace = trained
    data = latents.load(config, workspace)
    recipe = config.denoiser.model_copy(update={"batch": 64, "drop_product": 1.0, "drop_text": 0,
                                                "drop_both": 0})  # fmt: skip
    batch = denoiser.draw_batch(data, recipe, config.renders.seed, 0)
    zero = batch.product.flatten(1).eq(0).all(1)
    blank = torch.tensor([torch.equal(product, data.blank) for product in batch.product])
    assert (zero | blank).all()
    assert zero.any()
    assert blank.any()


def test_the_middle_of_the_denoiser_learns_what_is_to_be_drawn(trained):
    config, workspace = trained
    models = denoiser.Models.build(config, workspace)
    data = latents.load(config, workspace)
    recipe = config.denoiser.model_copy(update={"drop_text": 0.0, "drop_both": 0.0})
    batch = denoiser.draw_batch(data, recipe, config.renders.seed, 0)
    optimizer = torch.optim.Adam([p for m in models.trained for p in m.parameters()], lr=1e-3)
    attributes = []
    for _ in range(30):
        losses = denoiser.losses_of(models, batch, recipe)
        assert losses.attributes.shape == losses.velocity.shape == (recipe.batch,)
        optimizer.zero_grad()
        losses.attributes.mean().backward()
        optimizer.step()
        attributes.append(float(losses.attributes.mean().detach()))
    # What is before the middle has learnt it, and the prompt as a whole has had its part.
    assert models.unet.conv_in.weight.grad.any()
    assert models.unet.add_embedding.proj.weight.grad.any()
    assert attributes[-1] < 0.3 * attributes[0]


def test_attributes_weigh_as_the_recipe_says(trained, tmp_path):
    config, workspace = trained
    without = config.model_dump()
    without["denoiser"]["attribute_weight"] = 0.0
    other = copy_of(workspace, tmp_path, "renders", "latents", "tokenizer", "text_encoder.pt")
    denoiser.train(PretrainingConfig.model_validate(without), other)
    whole, plain = load_state(workspace.denoiser), load_state(other.denoiser)
    assert not torch.equal(
        whole["modules"][0]["conv_in.weight"], plain["modules"][0]["conv_in.weight"]
    )
    untrained = denoiser.Models.build(config, workspace).heads.state_dict()
    bias = untrained["linear.bias"]
    assert torch.equal(plain["modules"][1]["linear.bias"], bias)
    assert not torch.equal(whole["modules"][1]["linear.bias"], bias)


def test_the_export_loads_as_a_plain_pipeline_and_draws(trained, tmp_path):
    config, workspace = trained
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text("card", encoding="utf-8")
    export(config, workspace, folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == "card"
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        str(folder), dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    white = Image.new("RGB", (128, 192), "white")
    image = pipeline("model wearing product", image=white, num_inference_steps=2).images[0]
    assert image.size == (128, 192)
    assert np.isfinite(np.asarray(image, dtype=float)).all()
    assert [record["step"] for record in read_log(folder / "log.jsonl", "denoiser")] == [0, 1, 2, 3]


def test_training_goes_on_from_an_exported_model(trained, tmp_path):
    config, workspace = trained
    folder = tmp_path / "model"
    export(config, workspace, folder)
    longer = config.model_dump()
    longer["denoiser"]["steps"] = 6
    config = PretrainingConfig.model_validate(longer)
    other = copy_of(workspace, tmp_path / "other", "renders")
    start_from(folder, 4, config, other)
    exported = alignment.load(toy(), workspace).unet.half()
    taken = load_state(other.denoiser)
    assert_same({k: v.float() for k, v in exported.state_dict().items()}, taken["modules"][0])
    latents.encode_all(config, other)
    denoiser.train(config, other)
    assert [record["step"] for record in read_log(other.log, "denoiser")] == list(range(6))
    assert load_state(other.denoiser)["step"] == 6
    with pytest.raises(FileExistsError, match="go on without"):
        start_from(folder, 4, config, other)


def test_the_optimizer_warms_up_where_it_begins():
    recipe = OptimizerConfig(
        matrix_rate=1.0, learning_rate=1.0, warmup=10, decay=0.5, clip=1, ema=0
    )
    rates = [schedule(recipe, step, 100, first_step=20) for step in (20, 24, 40, 75, 99)]
    assert rates == pytest.approx([0.1, 0.5, 1.0, 0.5, 0.02])


def test_a_recipe_with_an_unknown_key_is_refused():
    recipe = toy().model_dump() | {"temperature": 1}
    with pytest.raises(ValidationError, match="temperature"):
        PretrainingConfig.model_validate(recipe)


def test_an_alignment_that_begins_after_the_last_step_is_refused():
    recipe = toy().model_dump()
    recipe["alignment"]["first_steps"] = [0, 3]
    with pytest.raises(ValidationError, match=r"first_steps must lie in 0\.\.2"):
        PretrainingConfig.model_validate(recipe)


def test_a_view_that_does_not_exist_is_refused():
    recipe = toy().model_dump()
    recipe["alignment"]["views"] = {"sides": 0.5}
    with pytest.raises(ValidationError, match=r"no such views: \['sides'\]"):
        PretrainingConfig.model_validate(recipe)


def test_the_committed_recipe_is_valid():
    PretrainingConfig.read(CONFIGS / "pretraining.yaml")
