"""Go on from an exported model where the training states themselves are gone.

An export keeps the averaged weights in float16, but neither what the optimizer knew nor the heads
that only training has, so the training goes on at the step of the export with new heads and an
optimizer that warms up once more. Autoencoder, tokenizer and text encoder stay what they are, and
the latents are encoded anew.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from training.pretraining.config import PretrainingConfig
from training.pretraining.denoiser import Models
from training.pretraining.optimization import Optimization
from training.pretraining.workspace import Workspace, append_log, read_log, save_state


def start_from(folder: Path, step: int, config: PretrainingConfig, workspace: Workspace) -> None:
    """Fill an empty work directory as if the denoiser had been trained up to `step` in it.

    Args:
        folder: an exported pipeline; its architecture must be that of the recipe.
        step: denoising steps of training that its weights have seen.
        config: the recipe that the training follows from there.
        workspace: where the next stages find what they need.

    Raises:
        FileExistsError: a denoiser has been trained there already.
    """
    if workspace.denoiser.exists():
        raise FileExistsError(f"{workspace.root} has a denoiser; go on without --continue-from")
    workspace.root.mkdir(parents=True, exist_ok=True)
    autoencoder = AutoencoderKL.from_pretrained(str(folder / "vae"), dtype=torch.float32)
    save_state(workspace.fixed_autoencoder, {"model": autoencoder.state_dict()})
    tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
    tokenizer.save_pretrained(str(workspace.tokenizer))
    encoder = CLIPTextModel.from_pretrained(str(folder / "text_encoder"), dtype=torch.float32)
    save_state(workspace.text_encoder, {"encoder": encoder.state_dict()})
    unet = UNet2DConditionModel.from_pretrained(str(folder / "unet"), dtype=torch.float32)
    models, recipe = Models.build(config, workspace), config.denoiser
    models.unet.load_state_dict(unet.state_dict())
    optimization = Optimization(models.trained, recipe.optimizer, recipe.steps, first_step=step)
    for stage in ("autoencoder", "denoiser"):
        for record in read_log(folder / "log.jsonl", stage):
            if stage == "autoencoder" or record["step"] < step:
                append_log(workspace.log, record)
    optimization.save(workspace.denoiser, step)
