"""LoRA training as diffusers' own examples write it, in one file: the other side of the ratio.

After ``train_text_to_image_lora.py`` and ``train_instruct_pix2pix.py`` (diffusers, Apache-2.0):
pictures and captions are encoded in every step, the picture condition as well. Nothing of ours runs
here but the reading of the question. ``python -m benchmarks.plain_training`` takes one line of JSON
on stdin and answers with one.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, StableDiffusionInstructPix2PixPipeline
from diffusers.optimization import get_scheduler
from diffusers.training_utils import compute_snr
from peft import LoraConfig
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset[dict[str, torch.Tensor]]):
    """Pictures with captions, as tensors."""

    def __init__(self, folder: Path, captions: list[str], tokenizer: Any) -> None:
        self.paths = sorted(folder.glob("*.png"))
        self.input_ids = tokenizer(
            captions,
            max_length=tokenizer.model_max_length,
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        ).input_ids

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        with Image.open(self.paths[index]) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
        return {"pixel_values": pixels.float() / 127.5 - 1, "input_ids": self.input_ids[index]}


def main() -> None:
    """Train, and say how long the steps took."""
    asked = json.loads(sys.stdin.readline())
    torch.manual_seed(0)
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        asked["model"], dtype=torch.float32, safety_checker=None, requires_safety_checker=False
    )
    unet, vae, text_encoder = pipeline.unet, pipeline.vae, pipeline.text_encoder
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    for module in (unet, vae, text_encoder):
        module.requires_grad_(False)
    unet.add_adapter(
        LoraConfig(
            r=asked["rank"],
            lora_alpha=asked["rank"],
            init_lora_weights="gaussian",
            target_modules=["to_k", "to_q", "to_v", "to_out.0"],
        )
    )
    layers = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(layers, lr=asked["learning_rate"])
    lr_scheduler = get_scheduler(
        "cosine", optimizer=optimizer, num_training_steps=asked["steps"], num_warmup_steps=0
    )
    pictures = Pictures(Path(asked["folder"]), asked["captions"], pipeline.tokenizer)
    loader = DataLoader(pictures, batch_size=asked["batch_size"], shuffle=True, drop_last=True)
    unet.train()
    step, began = 0, time.perf_counter()
    while step < asked["steps"]:
        for batch in loader:
            latents = vae.encode(batch["pixel_values"]).latent_dist.sample()
            latents = latents * vae.config.scaling_factor
            noise = torch.randn_like(latents)
            count = noise_scheduler.config.num_train_timesteps
            timesteps = torch.randint(0, count, (len(latents),))
            noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)
            encoder_hidden_states = text_encoder(batch["input_ids"])[0]
            # The picture condition: white, for "no product".
            original = vae.encode(torch.ones_like(batch["pixel_values"])).latent_dist.mode()
            sample = torch.cat([noisy_latents, original], dim=1)
            target = noise_scheduler.get_velocity(latents, noise, timesteps)
            predicted = unet(sample, timesteps, encoder_hidden_states, return_dict=False)[0]
            snr = compute_snr(noise_scheduler, timesteps)
            weights = snr.clamp(max=asked["snr_gamma"]) / (snr + 1)
            loss = functional.mse_loss(predicted, target, reduction="none").mean((1, 2, 3))
            (loss * weights).mean().backward()
            torch.nn.utils.clip_grad_norm_(layers, 1.0)
            optimizer.step()
            lr_scheduler.step()
            optimizer.zero_grad()
            step += 1
            if step == asked["steps"]:
                break
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
