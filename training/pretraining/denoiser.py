"""Stage 5: train the denoiser on the latents.

Everything follows `StableDiffusionInstructPix2PixPipeline`: the product's latents are further
input channels, unscaled; zeros stand for "no product" in the guidance's unconditional branch.
A plain white picture means "no product" as well, because that is what a caller can send.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from training.pretraining import latents as latents_stage
from training.pretraining import parallel, text
from training.pretraining.config import DenoiserConfig, PretrainingConfig
from training.pretraining.latents import Latents
from training.pretraining.optimization import Optimization
from training.pretraining.progress import Steps
from training.pretraining.renderer.prompts import describe
from training.pretraining.renderer.words import NEGATIVE_PROMPTS
from training.pretraining.renders import scene_at
from training.pretraining.workspace import Workspace, append_log, load_state, save_state

#: Negative prompts stand in for the empty one this often: they must mean no more than it does.
_NEGATIVE_SHARE = 0.4


def build(config: DenoiserConfig, latent_channels: int, text_width: int) -> UNet2DConditionModel:
    """An untrained denoiser for latents and product latents side by side."""
    down = ["CrossAttnDownBlock2D" if on else "DownBlock2D" for on in config.attention]
    up = ["CrossAttnUpBlock2D" if on else "UpBlock2D" for on in config.attention[::-1]]
    return UNet2DConditionModel(
        sample_size=(24, 16),
        in_channels=2 * latent_channels,
        out_channels=latent_channels,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        block_out_channels=config.channels,
        layers_per_block=config.layers_per_block,
        # diffusers reads this as the number of heads when `num_attention_heads` is not given.
        attention_head_dim=tuple(channels // config.head_dim for channels in config.channels),
        cross_attention_dim=text_width,
        norm_num_groups=config.norm_groups,
    )


def scheduler() -> DDIMScheduler:
    """The noise schedule of training and the default sampler.

    Zero terminal SNR: the first step starts from pure noise, as sampling does, which is what
    makes pure white reachable. `clip_sample` would clip latents, which have no bounds.
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=0,
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step sees: latents and conditions (n, c, 24, 16), timesteps (n,), prompts."""

    clean: torch.Tensor
    noise: torch.Tensor
    product: torch.Tensor
    timesteps: torch.Tensor
    prompts: list[str]


def draw_batch(data: Latents, config: DenoiserConfig, scene_seed: int, step: int) -> Batch:
    """This process's part of the batch of a step: a pure function of seed, step and rank."""
    key = (config.seed, step, parallel.rank())
    rng = random.Random(repr(key))
    generator = np.random.default_rng(key)
    count = config.batch // parallel.size()
    indices = generator.integers(len(data.on_model), size=count)
    clean = torch.from_numpy(data.on_model[indices]).float()
    product = torch.from_numpy(data.product[indices]).float()
    prompts = []
    for row, index in enumerate(indices):
        draw = rng.random()
        no_text = draw < config.drop_text + config.drop_both
        no_product = (
            config.drop_text <= draw < (config.drop_text + config.drop_both + config.drop_product)
        )
        if no_product:
            product[row] = 0 if rng.random() < 0.5 else data.blank
        if no_text:
            negative = rng.random() < _NEGATIVE_SHARE
            prompts.append(rng.choice(NEGATIVE_PROMPTS) if negative else "")
        else:
            scene = scene_at(scene_seed, int(index))
            complete = no_product and rng.random() < 0.5
            prompts.append(describe(scene, rng, product_shown=not no_product, complete=complete))
    timesteps = generator.integers(0, 1000, size=count)
    timesteps[generator.random(count) < config.first_step_share] = 999
    noise = generator.standard_normal(clean.shape, dtype=np.float32)
    return Batch(clean, torch.from_numpy(noise), product, torch.from_numpy(timesteps), prompts)


@dataclass(frozen=True, slots=True)
class Models:
    """The denoiser, and the text encoder that it listens to, which stays as it is."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    schedule: DDIMScheduler

    @classmethod
    def build(cls, config: PretrainingConfig, workspace: Workspace) -> Models:
        """An untrained denoiser and the trained text encoder."""
        torch.manual_seed(config.denoiser.seed)
        tokenizer = text.load_tokenizer(config, workspace)
        encoder = text.load_encoder(config, workspace, tokenizer)
        channels = config.autoencoder.latent_channels
        unet = build(config.denoiser, channels, config.text.width)
        return cls(unet, encoder, tokenizer, scheduler())


def loss_of(models: Models, batch: Batch, config: DenoiserConfig) -> torch.Tensor:
    """Mean squared error of the predicted velocity of each sample, weighted, (n,)."""
    ids = text.token_ids(models.tokenizer, batch.prompts)
    noisy = models.schedule.add_noise(batch.clean, batch.noise, batch.timesteps)
    target = models.schedule.get_velocity(batch.clean, batch.noise, batch.timesteps)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
        states = models.text_encoder(ids)[0]
        sample = torch.cat([noisy, batch.product], dim=1)
        predicted = models.unet(sample, batch.timesteps, states).sample
    error = functional.mse_loss(predicted.float(), target, reduction="none").mean((1, 2, 3))
    return error * weights(models.schedule, config.snr_gamma)[batch.timesteps]


def weights(schedule: DDIMScheduler, gamma: float) -> torch.Tensor:
    """The loss's weight at each timestep, (1000,): 1 where noise prevails, less where it is clear.

    A velocity's squared error is that of the picture times SNR + 1. As in Min-SNR (Hang et al.
    2023) the picture's error counts no more than `gamma` + 1 times, which leaves more of the
    gradient to the steps that decide what is seen; unlike there, pure noise keeps its weight,
    since with zero terminal SNR that step is learnt as well.
    """
    kept: torch.Tensor = schedule.alphas_cumprod
    snr = kept / (1 - kept)
    return (snr.clamp(max=gamma) + 1) / (snr + 1)


def train(config: PretrainingConfig, workspace: Workspace, stop: int | None = None) -> None:
    """Train in this process, resuming from the last saved state, at most up to step `stop`."""
    recipe = config.denoiser
    data = latents_stage.load(config, workspace)
    models = Models.build(config, workspace)
    # Plain matrix products: the fused kernel's backward pass takes longer on so few tokens.
    models.unet.set_attn_processor(AttnProcessor())
    optimization = Optimization([models.unet], recipe.optimizer, recipe.steps)
    state = load_state(workspace.denoiser)
    start = 0
    if state is not None:
        optimization.load_state_dict(state)
        start = int(state["step"])
    end = min(recipe.steps, stop or recipe.steps)
    with Steps("denoiser", start, end) as steps:
        for step in steps:
            began = time.perf_counter()
            batch = draw_batch(data, recipe, config.renders.seed, step)
            losses = loss_of(models, batch, recipe)
            loss = losses.mean()
            norm = optimization.step(loss, step)
            steps.show(loss=float(loss.detach()))
            if step % config.log_every == 0 and parallel.rank() == 0:
                figures = {"loss": float(loss.detach()), "norm": norm}
                figures["seconds"] = time.perf_counter() - began
                append_log(workspace.log, {"stage": "denoiser", "step": step, **figures})
            last = step + 1 == end
            if (step + 1) % config.save_every == 0 or last:
                state = {"step": step + 1, **optimization.state_dict()}
                if parallel.rank() == 0:
                    save_state(workspace.denoiser, state)


def load(config: PretrainingConfig, workspace: Workspace) -> Models:
    """The averaged models of the last saved state."""
    state = load_state(workspace.denoiser)
    if state is None:
        raise FileNotFoundError(f"no denoiser in {workspace.root}; run that stage first")
    models = Models.build(config, workspace)
    optimization = Optimization([models.unet], config.denoiser.optimizer, config.denoiser.steps)
    optimization.load_state_dict(state)
    optimization.average.copy_to([models.unet])
    models.unet.eval()
    return models
