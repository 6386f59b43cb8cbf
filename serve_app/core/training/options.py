"""How to train, as clients say it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from serve_app.core.orders import MAX_SEED
from serve_app.core.schemas import Input
from serve_app.core.text import Storable

MAX_STEPS: Final = 50_000
_MAX_PROMPT = 10_000

Prompt = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_PROMPT), Storable]


class TrainingOptions(Input):
    """Values of a training; those that are absent are good for most of them."""

    # As everywhere, a misspelt field is refused; so are numbers in quotes.
    model_config = ConfigDict(strict=True)

    training_type: Literal["lora"] = Field("lora", description="What is trained.")
    steps: int | None = Field(
        None, ge=1, le=MAX_STEPS, description="Optimizer steps; absent: the model's own default."
    )
    epochs: int | None = Field(
        None, ge=1, le=10_000, description="Instead of `steps`: how often each picture is seen."
    )
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="Of AdamW, at its highest; absent: the model's own default."
    )
    warmup_steps: int = Field(0, ge=0, le=MAX_STEPS, description="Steps until it is reached.")
    batch_size: int | None = Field(
        None, ge=1, le=64, description="Pictures of one step; absent: the model's own default."
    )
    accumulation: int = Field(
        1, ge=1, le=64, description="Parts that a step is computed in, one after the other."
    )
    rank: int | None = Field(
        None, ge=1, le=256, description="Of the adapter; absent: the model's own default."
    )
    alpha: float | None = Field(
        None, gt=0, le=1024, description="Its update is scaled by alpha / rank; absent: the rank."
    )
    resolution: int | None = Field(
        None, ge=64, le=4096, description="Pixels of the shorter side; absent: the model's own."
    )
    seed: int | None = Field(None, ge=0, le=MAX_SEED, description="Drawn when absent.")
    trigger_word: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,59}$",
        description="Stands in every caption, and makes what is trained appear in a prompt.",
        examples=["mirxkq"],
    )
    snr_gamma: float | None = Field(
        5.0, gt=0, le=1000, description="Of min-SNR weighting; null: all timesteps count alike."
    )
    caption_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the pictures of a step that are learnt from without their captions: "
        "prompts keep more of what the base model makes of them.",
    )
    prior_weight: float = Field(
        0.0, ge=0, le=10, description="Of pictures that the untrained model makes of `prior_prompt`"
    )
    prior_prompt: Prompt | None = Field(None, examples=["a person"])
    prior_images: int = Field(0, ge=0, le=500, description="How many of them.")
    train_text_encoder: bool | None = Field(
        None,
        description="Adapters on the text encoders as well; absent: as is good for the model.",
    )
    train_whole_blocks: bool | None = Field(
        None,
        description="Adapters on feed-forward layers and convolutions as well (LoCon), and not on "
        "attention alone: for small models; absent: as is good for the model.",
    )
    cache_latents: bool = Field(True, description="Encode pictures once, ahead of the steps.")
    validation_split: float = Field(
        0.0, ge=0, le=0.5, description="Share of the pictures to validate with, not to learn from."
    )
    sample_prompts: list[Prompt] | None = Field(
        None, max_length=8, description="Pictures to make as it trains; absent: one of what is new."
    )
    sample_every: int | None = Field(
        None,
        ge=0,
        le=MAX_STEPS,
        description="Steps between samples and validations; 0: only at the end. Absent: ten times.",
    )
    checkpoint_every: int = Field(
        50, ge=1, le=1000, description="Steps that a crash costs at most."
    )
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    gradient_checkpointing: bool | None = Field(
        None, description="Less memory for more time; absent: on GPUs."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("name either steps or epochs")
        if self.batch_size is not None and self.accumulation > self.batch_size:
            raise ValueError("accumulation must not be more than batch_size")
        if self.prior_weight and not (self.prior_prompt and self.prior_images):
            raise ValueError("prior preservation needs prior_prompt and prior_images")
        return self

    def wanted(self) -> dict[str, Any]:
        """Those of the values that the run is made with."""
        return self.model_dump(include=set(TrainingOptions.model_fields) - {"training_type"})
