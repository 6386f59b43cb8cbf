"""Tiny checkpoints with random weights, laid out as diffusers does, built offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers import pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from configs.catalog import Defaults, Limits, Mode, ModelEntry, Source

PROMPT_LENGTH = 16
FAMILY_MODES: dict[str, tuple[Mode, ...]] = {
    "sd": ("text-to-image", "image-to-image"),
    "sd-instruct": ("text-to-image", "instruction"),
    "sdxl": ("text-to-image", "image-to-image"),
    "flux": ("text-to-image", "image-to-image"),
}


def tiny_sd(folder: Path) -> Path:
    """A Stable Diffusion checkpoint."""
    torch.manual_seed(0)
    StableDiffusionPipeline(
        vae=_vae(latent_channels=4),
        text_encoder=_clip(),
        tokenizer=_clip_tokenizer(),
        unet=_unet(in_channels=4, out_channels=4),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def tiny_sd_instruct(folder: Path) -> Path:
    """An InstructPix2Pix checkpoint with eight latent channels, as the bundled model has."""
    torch.manual_seed(0)
    StableDiffusionInstructPix2PixPipeline(
        vae=_vae(latent_channels=8),
        text_encoder=_clip(),
        tokenizer=_clip_tokenizer(),
        unet=_unet(in_channels=16, out_channels=8),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def tiny_sdxl(folder: Path) -> Path:
    """A Stable Diffusion XL checkpoint."""
    torch.manual_seed(0)
    StableDiffusionXLPipeline(
        vae=_vae(latent_channels=4),
        text_encoder=_clip(),
        text_encoder_2=_clip(projection=True),
        tokenizer=_clip_tokenizer(),
        tokenizer_2=_clip_tokenizer(),
        unet=_unet(
            in_channels=4,
            out_channels=4,
            cross_attention_dim=64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=32 + 6 * 8,
        ),
        scheduler=EulerDiscreteScheduler(steps_offset=1, timestep_spacing="leading"),
        add_watermarker=False,
    ).save_pretrained(folder)
    return folder


def tiny_flux(folder: Path) -> Path:
    """A FLUX.1 checkpoint."""
    torch.manual_seed(0)
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(latent_channels=4, shift_factor=0.1, use_quant_conv=False),
        text_encoder=_clip(),
        tokenizer=_clip_tokenizer(),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=300, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
        ).eval(),
        tokenizer_2=T5Tokenizer(
            vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -2.0)]
            + [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"],
            model_max_length=PROMPT_LENGTH,
        ),
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
        ).eval(),
    ).save_pretrained(folder)
    return folder


BUILDERS = {
    "sd": tiny_sd,
    "sd-instruct": tiny_sd_instruct,
    "sdxl": tiny_sdxl,
    "flux": tiny_flux,
}


def tiny_entry(family: str, folder: Path, **changes: Any) -> ModelEntry:
    """The catalog entry of a tiny checkpoint that lies in ``folder``."""
    values: dict[str, Any] = {
        "name": f"tiny-{family}",
        "title": family,
        "description": "Random weights.",
        "license": "Apache-2.0",
        "family": family,
        "modes": FAMILY_MODES[family],
        "source": Source(path=folder),
        "limits": Limits(min_side=16, max_width=128, max_height=128, max_steps=50, max_batch=8),
        "defaults": Defaults(width=32, height=48, steps=4, guidance_scale=4.0),
        "options": {"max_sequence_length": PROMPT_LENGTH} if family == "flux" else {},
    }
    return ModelEntry(**(values | changes))


def _vae(*, latent_channels: int, **options: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32),
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=latent_channels,
        norm_num_groups=8,
        sample_size=32,
        **options,
    ).eval()


def _unet(*, cross_attention_dim: int = 32, **options: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=cross_attention_dim,
        attention_head_dim=(2, 4),
        norm_num_groups=8,
        **options,
    ).eval()


def _clip(*, projection: bool = False) -> CLIPTextModel | CLIPTextModelWithProjection:
    config = CLIPTextConfig(
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        projection_dim=32,
        max_position_embeddings=PROMPT_LENGTH,
        vocab_size=514,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def _clip_tokenizer() -> CLIPTokenizer:
    """Byte-level, with no merges: every text has tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{c}</w>" for c in letters)]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=[],
        model_max_length=PROMPT_LENGTH,
    )
