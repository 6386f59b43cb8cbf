"""The recipe of the bundled model: every number and seed, read from one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from training.pretraining.renderer.attributes import VIEWS

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RendersConfig(_Section):
    """The data set."""

    count: Count
    seed: int


class OptimizerConfig(_Section):
    """Muon and AdamW with linear warm-up, a constant rate, and a decay to zero at the end."""

    matrix_rate: float = Field(
        ge=0, description="Learning rate of Muon, for the inner matrices; 0 leaves them to AdamW"
    )
    learning_rate: float = Field(gt=0, description="Learning rate of AdamW, for all the rest")
    betas: tuple[Share, Share] = (0.9, 0.99)
    weight_decay: float = 0.0
    warmup: Count
    decay: Share = Field(description="Share of the steps over which the rate falls to zero")
    clip: float = Field(gt=0, description="Largest norm of the gradient")
    ema: Share = Field(description="Share of the average that each step keeps")


class AutoencoderConfig(_Section):
    """Architecture and training of the `AutoencoderKL`."""

    channels: tuple[Count, ...]
    latent_channels: Count
    norm_groups: Count
    steps: Count
    crop: Count = Field(description="Side of the square training crops in pixels")
    batch: Count
    whole_share: Share = Field(description="Share of the last steps that see whole pictures")
    whole_batch: Count
    bfloat16: bool = Field(description="Compute in bfloat16 where autocast and the CPU allow it")
    l1: float
    coarse: float = Field(description="Weight of the squared error of 8x8 means")
    chroma: float = Field(description="Weight of the squared error of their colour alone")
    kl: float
    seed: int
    optimizer: OptimizerConfig


class TextConfig(_Section):
    """Tokenizer and text encoder."""

    vocabulary: Count
    corpus: Count = Field(description="Prompts that the tokenizer is trained on")
    width: Count
    layers: Count
    heads: Count
    steps: Count
    batch: Count
    unknown_words: Share = Field(description="Share of the prompts with words that say nothing")
    optimizer: OptimizerConfig


class DenoiserConfig(_Section):
    """Architecture and training of the `UNet2DConditionModel` with its text encoder."""

    channels: tuple[Count, ...]
    layers_per_block: Count
    attention: tuple[bool, ...] = Field(description="Cross attention at each resolution")
    head_dim: Count
    text_heads: Count = Field(description="Attention heads that pool the prompt as a whole")
    norm_groups: Count
    triples: Count = Field(description="How many of the renders are encoded and learnt from")
    steps: Count
    batch: Count
    bfloat16: bool = Field(description="Compute in bfloat16 where autocast and the CPU allow it")
    seed: int
    drop_product: Share = Field(description="Share of the samples that see no product picture")
    drop_text: Share = Field(description="Share of the samples that see no prompt")
    drop_both: Share = Field(description="Share of the samples that see neither")
    unknown_words: Share = Field(description="Share of the prompts with words that say nothing")
    first_step_share: Share = Field(description="Share of the samples of pure noise")
    snr_gamma: float = Field(gt=0, description="Signal-to-noise ratio up to which errors weigh in")
    attribute_weight: float = Field(ge=0, description="Weight of the attributes' cross entropy")
    optimizer: OptimizerConfig


class RewardConfig(_Section):
    """Architecture and training of the classifiers of latents that alignment listens to."""

    members: Count = Field(description="How many; each has the same recipe and its own seed")
    channels: tuple[Count, Count, Count] = Field(description="At 24x16, 12x8 and 6x4 cells")
    steps: Count
    batch: Count
    noise: float = Field(ge=0, description="Largest deviation of noise in what it learns from")
    dropout: Share = Field(description="Share of its last features that a step goes without")
    seed: int
    optimizer: OptimizerConfig


class CriticConfig(_Section):
    """What tells the denoiser's samples from renders while it is aligned."""

    width: Count = Field(description="Its channels at 24x16 cells; twice as many below")
    noise: Share = Field(description="Share of the noise on what is judged that it sees")
    weight: float = Field(
        ge=0, description="Length of its gradient beside the reward's, once it tells all apart"
    )
    optimizer: OptimizerConfig


class AlignmentConfig(_Section):
    """Training of the denoiser by what the reward models say of its samples."""

    steps: Count
    batch: Count = Field(description="Renders of each step, whose velocity is predicted")
    samples: Count = Field(description="Samples of each step")
    sampling_steps: Count = Field(description="Denoising steps in which pictures will be made")
    kept_steps: int = Field(
        ge=2, description="Last steps of sampling, all but one of which the gradient goes through"
    )
    first_steps: tuple[int, ...] = Field(description="Denoising steps that those may start from")
    reward_weight: float = Field(gt=0, description="Weight of what the reward models miss")
    noise: float = Field(ge=0, description="Largest deviation of noise on what is judged")
    share: float = Field(gt=0, le=1, description="Share of what was learnt that the export keeps")
    unknown_words: Share = Field(description="Share of the prompts with words that say nothing")
    text_share: Share = Field(description="Share of the samples asked for by prompt alone")
    silent_share: Share = Field(
        description="Share asked for by product pictures that their prompts say nothing of"
    )
    views: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(
        description="Share of the drawn scenes with this view that are asked for; else all"
    )
    emphasis: dict[str, float] = Field(description="Attributes that do not count once each")
    seed: int
    optimizer: OptimizerConfig
    critic: CriticConfig

    @field_validator("views")
    @classmethod
    def _views_exist(cls, views: dict[str, float]) -> dict[str, float]:
        if unknown := set(views) - set(VIEWS):
            raise ValueError(f"no such views: {sorted(unknown)}; there are {list(VIEWS)}")
        return views

    @model_validator(mode="after")
    def _shares_add_up(self) -> Self:
        if self.text_share + self.silent_share > 1:
            raise ValueError("text_share and silent_share are parts of the same samples")
        return self

    @model_validator(mode="after")
    def _steps_are_left(self) -> Self:
        last = self.sampling_steps - self.kept_steps
        if not all(0 <= first <= last for first in self.first_steps):
            raise ValueError(
                f"first_steps must lie in 0..{last}: sampling has {self.sampling_steps} steps, and "
                f"{self.kept_steps} are left after them"
            )
        return self


class PretrainingConfig(_Section):
    """Everything that decides the weights, except the versions of the libraries."""

    renders: RendersConfig
    autoencoder: AutoencoderConfig
    text: TextConfig
    denoiser: DenoiserConfig
    reward: RewardConfig
    alignment: AlignmentConfig
    workers: Count = Field(2, description="Processes of one thread that share the work")
    save_every: Count = 250
    log_every: Count = 25

    @classmethod
    def read(cls, path: Path) -> PretrainingConfig:
        """Read and check a recipe."""
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
