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
from torch import nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from training.pretraining import latents as latents_stage
from training.pretraining import parallel, text
from training.pretraining.config import DenoiserConfig, PretrainingConfig
from training.pretraining.latents import Latents
from training.pretraining.optimization import Optimization
from training.pretraining.precision import bfloat16
from training.pretraining.progress import Steps
from training.pretraining.renderer.attributes import Scene
from training.pretraining.renderer.canvas import HEIGHT, WIDTH
from training.pretraining.renderer.prompts import describe, with_unknown_words
from training.pretraining.renderer.words import NEGATIVE_PROMPTS
from training.pretraining.renders import scene_at
from training.pretraining.workspace import Workspace, append_log

#: Negative prompts stand in for the empty one this often: they must mean no more than it does.
_NEGATIVE_SHARE = 0.4


def build(config: DenoiserConfig, latent_channels: int, text_width: int) -> UNet2DConditionModel:
    """An untrained denoiser for latents and product latents side by side."""
    down = ["CrossAttnDownBlock2D" if on else "DownBlock2D" for on in config.attention]
    up = ["CrossAttnUpBlock2D" if on else "UpBlock2D" for on in config.attention[::-1]]
    return UNet2DConditionModel(
        sample_size=(HEIGHT // 8, WIDTH // 8),
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
        # The prompt as a whole goes where the time step goes, into every layer; cross attention
        # alone takes far longer to be listened to, and the largest resolution has none.
        addition_embed_type="text",
        addition_embed_type_num_heads=config.text_heads,
    )


class AttributeHeads(nn.Module):
    """Classifiers of a scene's attributes in the middle of a denoiser, for training alone.

    A denoiser takes most of its training to find out what there is to be drawn. As in
    representation alignment (REPA, Yu et al. 2024) it is told: from what it has in its middle,
    out of noise, prompt and product picture, every attribute of the scene must be readable.
    """

    def __init__(self, unet: UNet2DConditionModel, features: int) -> None:
        super().__init__()
        self.sizes = [len(names) for names in text.ATTRIBUTES.values()]
        self.linear = nn.Linear(features, sum(self.sizes))
        self._middle: list[torch.Tensor] = []
        unet.mid_block.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        self._middle = [output]

    def loss(self, scenes: list[Scene]) -> torch.Tensor:
        """Mean cross entropy over the attributes, of each sample of the last pass, (n,)."""
        logits = self.linear(self._middle.pop().float().flatten(1)).split(self.sizes, dim=1)
        losses = []
        for part, (name, names) in zip(logits, text.ATTRIBUTES.items(), strict=True):
            expected = torch.tensor([names.index(getattr(scene, name)) for scene in scenes])
            losses.append(functional.cross_entropy(part, expected, reduction="none"))
        return torch.stack(losses).mean(0)


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
    """What one step sees: latents and conditions (n, c, 24, 16), timesteps (n,), prompts.

    `scenes` is what the latents show.
    """

    clean: torch.Tensor
    noise: torch.Tensor
    product: torch.Tensor
    timesteps: torch.Tensor
    prompts: list[str]
    scenes: list[Scene]


def draw_batch(data: Latents, config: DenoiserConfig, scene_seed: int, step: int) -> Batch:
    """This process's part of the batch of a step: a pure function of seed, step and rank."""
    key = (config.seed, step, parallel.rank())
    rng = random.Random(repr(key))
    generator = np.random.default_rng(key)
    count = config.batch // parallel.size()
    indices = generator.integers(len(data.on_model), size=count)
    clean = torch.from_numpy(data.on_model[indices]).float()
    product = torch.from_numpy(data.product[indices]).float()
    scenes = [scene_at(scene_seed, int(index)) for index in indices]
    prompts = []
    for row, scene in enumerate(scenes):
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
            complete = no_product and rng.random() < 0.5
            prompt = describe(scene, rng, product_shown=not no_product, complete=complete)
            unknown = rng.random() < config.unknown_words
            prompts.append(with_unknown_words(prompt, rng) if unknown else prompt)
    timesteps = generator.integers(0, 1000, size=count)
    timesteps[generator.random(count) < config.first_step_share] = 999
    noise = generator.standard_normal(clean.shape, dtype=np.float32)
    return Batch(
        clean, torch.from_numpy(noise), product, torch.from_numpy(timesteps), prompts, scenes
    )


@dataclass(frozen=True, slots=True)
class Models:
    """The denoiser, and the text encoder that it listens to, which stays as it is."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    schedule: DDIMScheduler
    heads: AttributeHeads

    @property
    def trained(self) -> list[nn.Module]:
        """What the optimizer changes."""
        return [self.unet, self.heads]

    @classmethod
    def build(cls, config: PretrainingConfig, workspace: Workspace) -> Models:
        """An untrained denoiser and the trained text encoder."""
        torch.manual_seed(config.denoiser.seed)
        tokenizer = text.load_tokenizer(config, workspace)
        encoder = text.load_encoder(config, workspace, tokenizer)
        channels = config.autoencoder.latent_channels
        recipe = config.denoiser
        unet = build(recipe, channels, config.text.width)
        halvings = len(recipe.channels) - 1
        features = recipe.channels[-1] * (HEIGHT // 8 >> halvings) * (WIDTH // 8 >> halvings)
        return cls(unet, encoder, tokenizer, scheduler(), AttributeHeads(unet, features))


@dataclass(frozen=True, slots=True)
class Losses:
    """Weighted mean squared errors of the predicted velocities, and of the attributes; (n,)."""

    velocity: torch.Tensor
    attributes: torch.Tensor


def losses_of(models: Models, batch: Batch, config: DenoiserConfig) -> Losses:
    """How far the denoiser is off, sample by sample."""
    ids = text.token_ids(models.tokenizer, batch.prompts)
    noisy = models.schedule.add_noise(batch.clean, batch.noise, batch.timesteps)
    target = models.schedule.get_velocity(batch.clean, batch.noise, batch.timesteps)
    with bfloat16(enabled=config.bfloat16):
        states = models.text_encoder(ids)[0]
        sample = torch.cat([noisy, batch.product], dim=1)
        predicted = models.unet(sample, batch.timesteps, states).sample
    error = functional.mse_loss(predicted.float(), target, reduction="none").mean((1, 2, 3))
    weighted = error * weights(models.schedule, config.snr_gamma)[batch.timesteps]
    return Losses(weighted, models.heads.loss(batch.scenes))


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
    optimization = Optimization(models.trained, recipe.optimizer, recipe.steps)
    start = optimization.resume(workspace.denoiser)
    end = min(recipe.steps, stop or recipe.steps)
    with Steps("denoiser", start, end) as steps:
        for step in steps:
            began = time.perf_counter()
            batch = draw_batch(data, recipe, config.renders.seed, step)
            losses = losses_of(models, batch, recipe)
            velocity, attributes = losses.velocity.mean(), losses.attributes.mean()
            norm = optimization.step(velocity + recipe.attribute_weight * attributes, step)
            loss = float(velocity.detach())
            steps.show(loss=loss)
            if step % config.log_every == 0 and parallel.rank() == 0:
                figures = {"loss": loss, "attributes": float(attributes.detach()), "norm": norm}
                figures["seconds"] = time.perf_counter() - began
                append_log(workspace.log, {"stage": "denoiser", "step": step, **figures})
            if (step + 1) % config.save_every == 0 or step + 1 == end:
                optimization.save(workspace.denoiser, step + 1)


def load(config: PretrainingConfig, workspace: Workspace) -> Models:
    """The averaged models of the last saved state."""
    if not workspace.denoiser.exists():
        raise FileNotFoundError(f"no denoiser in {workspace.root}; run that stage first")
    models = Models.build(config, workspace)
    optimization = Optimization(models.trained, config.denoiser.optimizer, config.denoiser.steps)
    optimization.resume(workspace.denoiser)
    optimization.average.copy_to(models.trained)
    models.unet.eval()
    return models
