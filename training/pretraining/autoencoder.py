"""Stage 2: train the `AutoencoderKL` on the drawn pictures."""

from __future__ import annotations

import time

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from training.pretraining import parallel
from training.pretraining.config import AutoencoderConfig, PretrainingConfig
from training.pretraining.optimization import Optimization
from training.pretraining.precision import bfloat16
from training.pretraining.progress import Steps
from training.pretraining.renders import Pictures, Renders, load_renders
from training.pretraining.workspace import Workspace, append_log


def build(config: AutoencoderConfig) -> AutoencoderKL:
    """An untrained autoencoder; every channel count after the first halves the resolution."""
    blocks = len(config.channels)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=config.channels,
        layers_per_block=1,
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_groups,
        mid_block_add_attention=False,
        sample_size=192,
        force_upcast=False,
    )


def to_tensor(pictures: Pictures) -> torch.Tensor:
    """(n, height, width, 3) uint8 → (n, 3, height, width) float in -1..1."""
    tensor = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2)
    return tensor.float().contiguous().div_(127.5).sub_(1.0)


def crops(renders: Renders, config: AutoencoderConfig, step: int) -> torch.Tensor:
    """This process's part of the batch of a step: a pure function of seed, step and rank.

    Two of three pictures show a person. Early steps see square crops, each redrawn up to twice
    while it is empty background; late steps see whole pictures, because group normalization
    sees other statistics there.
    """
    rng = np.random.default_rng((config.seed, step, parallel.rank()))
    whole = step >= config.steps * (1 - config.whole_share)
    batch = []
    for _ in range((config.whole_batch if whole else config.batch) // parallel.size()):
        source = renders.product if rng.random() < 1 / 3 else renders.on_model
        picture = source[rng.integers(len(renders))]
        batch.append(picture if whole else _crop(picture, config.crop, rng))
    return to_tensor(np.stack(batch))


def _crop(picture: Pictures, side: int, rng: np.random.Generator) -> Pictures:
    for _ in range(3):
        top = rng.integers(0, picture.shape[0] - side + 1)
        left = rng.integers(0, picture.shape[1] - side + 1)
        crop = picture[top : top + side, left : left + side]
        if crop[::8, ::8].std(axis=(0, 1)).mean() > 8 or rng.random() < 0.1:
            break
    return crop


def loss_of(model: AutoencoderKL, pictures: torch.Tensor, config: AutoencoderConfig,
            step: int) -> tuple[torch.Tensor, dict[str, float]]:  # fmt: skip
    """Reconstruction and KL loss of a batch, and the figures worth logging."""
    generator = torch.Generator().manual_seed((config.seed + parallel.rank()) * 1_000_003 + step)
    with bfloat16(enabled=config.bfloat16):
        posterior = model.encode(pictures).latent_dist
        restored = model.decode(posterior.sample(generator=generator)).sample
    restored = restored.float()
    mse = functional.mse_loss(restored, pictures)
    coarse = functional.avg_pool2d(restored - pictures, 8)
    chroma = coarse - coarse.mean(1, keepdim=True)
    kl = 0.5 * (posterior.mean.pow(2) + posterior.var - 1 - posterior.logvar).float().mean()
    loss = mse + config.l1 * functional.l1_loss(restored, pictures) + config.kl * kl
    # Lightness explains most of the error, so that colours would be learnt last without this.
    loss = loss + config.coarse * coarse.pow(2).mean() + config.chroma * chroma.pow(2).mean()
    return loss, {"psnr": 10 * float(torch.log10(4 / mse.detach())), "kl": float(kl.detach())}


def train(config: PretrainingConfig, workspace: Workspace, stop: int | None = None) -> None:
    """Train in this process, resuming from the last saved state, at most up to step `stop`."""
    recipe = config.autoencoder
    renders = load_renders(config, workspace)
    torch.manual_seed(recipe.seed)
    model = build(recipe)
    optimization = Optimization([model], recipe.optimizer, recipe.steps)
    start = optimization.resume(workspace.autoencoder)
    end = min(recipe.steps, stop or recipe.steps)
    with Steps("autoencoder", start, end) as steps:
        for step in steps:
            began = time.perf_counter()
            loss, figures = loss_of(model, crops(renders, recipe, step), recipe, step)
            norm = optimization.step(loss, step)
            steps.show(loss=float(loss.detach()), psnr=figures["psnr"])
            if step % config.log_every == 0 and parallel.rank() == 0:
                figures |= {"loss": float(loss.detach()), "norm": norm}
                figures["seconds"] = time.perf_counter() - began
                append_log(workspace.log, {"stage": "autoencoder", "step": step, **figures})
            if (step + 1) % config.save_every == 0 or step + 1 == end:
                optimization.save(workspace.autoencoder, step + 1)


def load(config: PretrainingConfig, workspace: Workspace) -> AutoencoderKL:
    """The averaged autoencoder of the last saved state."""
    if not workspace.autoencoder.exists():
        raise FileNotFoundError(f"no autoencoder in {workspace.root}; run that stage first")
    model = build(config.autoencoder)
    optimization = Optimization([model], config.autoencoder.optimizer, config.autoencoder.steps)
    optimization.resume(workspace.autoencoder)
    optimization.average.copy_to([model])
    return model.eval()


@torch.no_grad()
def psnr(model: AutoencoderKL, pictures: Pictures) -> float:
    """Peak signal-to-noise ratio of the reconstruction of whole pictures, in dB."""
    errors = []
    for picture in pictures:
        tensor = to_tensor(picture[None])
        restored = model.decode(model.encode(tensor).latent_dist.mode()).sample.clamp(-1, 1)
        errors.append(functional.mse_loss(restored, tensor))
    return 10 * float(torch.log10(4 / torch.stack(errors).mean()))
