"""The reward model learns what latents show, and the denoiser to show what it is asked for."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from training.pretraining import alignment, denoiser, latents, reward, text
from training.pretraining.critic import Critic
from training.pretraining.optimization import Optimization
from training.pretraining.renderer import words
from training.pretraining.renders import scene_at
from training.pretraining.workspace import Workspace, save_state

pytestmark = pytest.mark.filterwarnings("default")


def test_the_reward_model_learns_what_latents_show(trained):
    config, workspace = trained
    data = latents.load(config, workspace)
    model = reward.RewardModel(config.reward, config.autoencoder.latent_channels).eval()
    optimization = Optimization([model], config.reward.optimizer, 200)
    shown = torch.from_numpy(data.on_model[:8]).float()
    scenes = [scene_at(config.renders.seed, index) for index in range(8)]
    sums = []
    for step in range(60):
        losses = model.losses(shown, scenes)
        assert all(values.shape == (8,) for values in losses.values())
        loss = torch.stack(list(losses.values())).sum(0).mean()
        optimization.step(loss, step)
        sums.append(float(loss.detach()))
    assert sums[-1] < 0.1 * sums[0]


def test_several_reward_models_are_trained_apart_and_asked_together(trained):
    config, workspace = trained
    models = reward.load(config, workspace)
    one, other = models
    assert not torch.equal(one.fine[0].weight, other.fine[0].weight)
    scenes = [scene_at(config.renders.seed, index) for index in range(3)]
    latents = torch.randn(3, config.autoencoder.latent_channels, 24, 16)
    together, first, second = (who.losses(latents, scenes) for who in (models, one, other))
    assert all(
        torch.allclose(together[name], (first[name] + second[name]) / 2) for name in together
    )


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (-1, 1)])
def test_latents_move_by_cells(down, right):
    latents = torch.arange(24.0).view(1, 4, 6)
    moved = reward.moved(latents, down, right)
    assert moved.shape == latents.shape
    assert moved[0, 2, 2] == latents[0, 2 - down, 2 - right]
    assert moved[0, 0, 0] == latents[0, max(0, -down), max(0, -right)]


def test_what_the_framing_hides_does_not_count(trained):
    config, workspace = trained
    model = reward.load(config, workspace)
    scenes = [scene_at(config.renders.seed, index) for index in range(40)]
    losses = model.losses(torch.zeros(40, config.autoencoder.latent_channels, 24, 16), scenes)
    with_head = torch.tensor([scene.shows_head for scene in scenes])
    assert with_head.any()
    assert not with_head.all()
    for name in ("hair_style", "hair_colour", "age"):
        assert torch.equal(losses[name] > 0, with_head)
    assert (losses["garment"] > 0).all()
    assert all(not values.requires_grad for values in losses.values())


def test_samples_are_those_of_ddim(trained):
    config, workspace = trained
    models = denoiser.load(config, workspace)
    data = latents.load(config, workspace)
    recipe = config.alignment.model_copy(update={"sampling_steps": 5, "kept_steps": 2})
    wish = alignment.draw_wish(data, recipe, config.renders.seed, 0)
    with torch.no_grad():
        made = alignment.sample(models, wish, recipe, 3, bfloat16=False)
        states = models.text_encoder(text.token_ids(models.tokenizer, wish.prompts))[0]
        models.schedule.set_timesteps(5)
        expected = wish.noise
        for time in models.schedule.timesteps:
            velocity = models.unet(torch.cat([expected, wish.product], 1), time, states).sample
            expected = models.schedule.step(velocity, time, expected).prev_sample
    assert torch.allclose(made, expected, atol=1e-4)


def test_the_last_step_learns_nothing_from_the_samples(trained):
    config, workspace = trained
    models = denoiser.load(config, workspace)
    recipe = config.alignment.model_copy(update={"sampling_steps": 5, "kept_steps": 3})
    wish = alignment.draw_wish(latents.load(config, workspace), recipe, config.renders.seed, 0)
    learns = []
    models.unet.register_forward_hook(lambda *_: learns.append(torch.is_grad_enabled()))
    samples = alignment.sample(models, wish, recipe, 2, bfloat16=False)
    assert learns == [False, False, True, True, False]
    samples.square().mean().backward()
    assert models.unet.conv_in.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("first", [0, 2])
def test_the_denoiser_learns_to_show_what_it_is_asked_for(trained, first):
    config, workspace = trained
    models = denoiser.load(config, workspace)
    judge = reward.load(config, workspace)
    data = latents.load(config, workspace)
    recipe = config.alignment.model_copy(update={"samples": 4, "kept_steps": 2})
    wish = alignment.draw_wish(data, recipe, config.renders.seed, 0)
    optimizer = torch.optim.Adam(models.unet.parameters(), lr=3e-3)
    frozen = {name: value.clone() for name, value in judge.state_dict().items()}
    missing = []
    for _ in range(120):
        samples = alignment.sample(models, wish, recipe, first, bfloat16=False)
        rewards = alignment.reward_loss(judge, samples, wish)
        assert set(rewards) == set(alignment.PROMPTED)
        loss = alignment.emphasized(rewards, recipe.emphasis)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        missing.append(float(loss.detach()))
    assert missing[-1] < 0.7 * missing[0]
    assert all(torch.equal(frozen[name], value) for name, value in judge.state_dict().items())


def test_of_a_picture_only_what_it_shows_is_asked(trained):
    config, workspace = trained
    data = latents.load(config, workspace)
    recipe = config.alignment.model_copy(update={"samples": 60})
    wish = alignment.draw_wish(data, recipe, config.renders.seed, 1)
    by_prompt = wish.asked["background"].bool()
    assert 0.4 < by_prompt.float().mean() < 0.9
    assert wish.asked["garment"].all()
    assert not wish.asked["pose"].any()
    for prompt, scene, said in zip(wish.prompts, wish.scenes, by_prompt, strict=True):
        if said:
            assert any(word in prompt for word in words.FRAMINGS[scene.framing])
        else:
            assert any(word in prompt for word in words.PRODUCT)
    # The same step draws the same batch, another one another.
    again = alignment.draw_wish(data, recipe, config.renders.seed, 1)
    other = alignment.draw_wish(data, recipe, config.renders.seed, 2)
    assert again.prompts == wish.prompts != other.prompts
    assert np.array_equal(again.noise, wish.noise)


def test_of_views_that_are_easy_fewer_are_asked_for(trained):
    config, _ = trained
    numbers = np.arange(200, dtype=np.float16)[:, None, None, None]
    numbered = np.broadcast_to(numbers, (200, 4, 24, 16))
    data = latents.Latents(numbered, numbered, torch.zeros(4, 24, 16))

    def fronts(views):
        recipe = config.alignment.model_copy(update={"samples": 60, "views": views})
        wish = alignment.draw_wish(data, recipe, config.renders.seed, 3)
        # What is asked for and what the critic compares it with belong together.
        asked = [int(number) for number in wish.renders[:, 0, 0, 0]]
        assert wish.scenes == [scene_at(config.renders.seed, number) for number in asked]
        return sum(scene.view == "front" for scene in wish.scenes)

    assert fronts({"front": 0.01}) < 5
    assert fronts({}) > 15


@pytest.mark.parametrize(("hard", "expected"), [("framing", 2.5), ("garment", 3.0)])
def test_what_is_hard_to_show_counts_more(hard, expected):
    losses = {"colour": torch.tensor(1.0), hard: torch.tensor(4.0)}
    assert alignment.emphasized(losses, {"garment": 2.0}) == pytest.approx(expected)


def test_the_weights_go_a_part_of_the_way(trained):
    config, workspace = trained
    before = denoiser.load(config, workspace).unet.conv_out.weight
    ends = []
    for share in (0.25, 1.0):
        recipe = config.alignment.model_copy(update={"share": share})
        whole = config.model_copy(update={"alignment": recipe})
        ends.append(alignment.load(whole, workspace).unet.conv_out.weight)
    assert not torch.equal(before, ends[1])
    assert torch.allclose(ends[0], before + 0.25 * (ends[1] - before), atol=1e-7)


def test_an_alignment_that_was_not_run_is_named(trained, tmp_path):
    config, _ = trained
    with pytest.raises(FileNotFoundError, match="no aligned denoiser"):
        alignment.load(config, Workspace(tmp_path))
    with pytest.raises(FileNotFoundError, match="no reward models"):
        reward.load(config, Workspace(tmp_path))


@pytest.mark.parametrize("state", [{"model": {}}, {"models": [{}, {}]}])
def test_reward_models_of_another_recipe_are_refused_by_name(trained, tmp_path, state):
    config, _ = trained
    workspace = Workspace(tmp_path)
    save_state(workspace.reward, state)
    with pytest.raises(ValueError, match=r"reward\.pt is the state of another recipe; delete it"):
        reward.load(config, workspace)


@pytest.fixture
def critic(trained):
    config, _ = trained
    torch.manual_seed(0)
    return Critic(config.autoencoder.latent_channels, config.alignment.critic.width)


def test_a_critic_learns_what_samples_have_and_renders_do_not(trained, critic):
    config, workspace = trained
    data = latents.load(config, workspace)
    renders = torch.from_numpy(data.on_model[:16]).float()
    blurred = functional.avg_pool2d(renders, 3, stride=1, padding=1)
    optimization = Optimization([critic], config.alignment.critic.optimizer, 600)
    losses = []
    for step in range(300):
        loss = critic.loss(renders, blurred)
        optimization.step(loss, step)
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(2.0, abs=0.3)
    assert losses[-1] < 0.5 * losses[0]


def test_its_complaint_goes_back_to_the_samples_alone(trained, critic):
    config, _ = trained
    samples = torch.randn(3, config.autoencoder.latent_channels, 24, 16, requires_grad=True)
    assert critic(samples).shape == (3, 3)
    critic.complaint(samples).backward()
    assert samples.grad.abs().sum() > 0
    after = (samples - samples.grad / samples.grad.norm()).detach()
    assert critic.complaint(after) < critic.complaint(samples)
    told = critic.loss(torch.zeros_like(samples), samples.clone())
    (gradient,) = torch.autograd.grad(told, samples, allow_unused=True)
    assert gradient is None


def test_the_critic_pulls_as_hard_as_the_reward_however_steep_it_is():
    samples = torch.randn(3, 4, requires_grad=True)
    wrong = [
        alignment.pull(samples[:, 0].sum(), 1000 * samples[:, 1].sum(), samples, weight)
        for weight in (0.5, 0.0)
    ]
    assert torch.allclose(wrong[0], torch.tensor([[1.0, 0.5, 0.0, 0.0]]).expand(3, 4))
    assert torch.allclose(wrong[1], torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(3, 4))
