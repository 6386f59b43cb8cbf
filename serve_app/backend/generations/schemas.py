"""What the API says and takes about generations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from db.models import GenerationType, PredictionStatus
from serve_app.core.orders import MAX_SEED
from serve_app.core.schemas import Input, ListOf

GenerationStatus = Literal["pending", "running", "completed", "failed", "cancelled"]

Count = Annotated[int, Field(ge=1, le=16, description="How many images.", examples=[4])]
Text = Annotated[str, Field(max_length=5000)]


class GenerateOptions(Input):
    """How images are made; what is absent follows the model's defaults."""

    model_id: str | None = Field(
        None,
        max_length=200,
        description="A model of `/generation-models/`; the installation's own when absent.",
        examples=["atelier-tiny"],
    )
    num_predictions: Count = 1
    generation_type: GenerationType = Field(
        GenerationType.BASE,
        description="`agentic`: each image is evaluated; while one is not good enough, seed and "
        "guidance are adjusted and it is tried again.",
    )
    max_attempts: int = Field(3, ge=1, le=10, description="Of an agentic generation.")
    min_confidence_score: float = Field(
        0.7, ge=0, le=1, description="From which an agentic generation accepts an image."
    )
    composer: str = Field(
        "rules",
        max_length=200,
        description="Who writes the prompt from the parts of the shot: `rules`, or a language "
        "model such as `claude-haiku`. Should that fail, the rules' prompt is used.",
        examples=["rules"],
    )
    judge: str = Field(
        "pixels",
        max_length=200,
        description="Who evaluates the images of an agentic generation: `pixels`, or a language "
        "model that looks at them, such as `claude-haiku` or `gemini-flash`.",
        examples=["pixels"],
    )
    prompt: Text | None = Field(
        None,
        description="Added to the prompt that is composed.",
        examples=["hands in her pockets"],
    )
    negative_prompt: Text | None = Field(None, description="What else to avoid.")
    steps: int | None = Field(None, ge=1, description="Denoising steps.")
    guidance_scale: float | None = Field(None, ge=0, le=30)
    image_guidance_scale: float | None = Field(None, ge=0, le=30)
    strength: float | None = Field(None, gt=0, le=1)

    def settings(self) -> dict[str, Any]:
        """Those that go into the generation's config as they are."""
        names = ("steps", "guidance_scale", "image_guidance_scale", "strength")
        return {name: getattr(self, name) for name in names}


class GenerateRequest(GenerateOptions):
    """Images of one shot."""

    seed: int | None = Field(
        None,
        ge=0,
        le=MAX_SEED,
        description="Of the first image; the others follow. Random when absent.",
    )


class GenerateAllRequest(GenerateOptions):
    """Images of every shot of a shooting that still needs some."""

    shot_ids: list[UUID] | None = Field(
        None, max_length=1000, description="Only these; all that need images when absent."
    )

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        if self.shot_ids is not None and len(set(self.shot_ids)) < len(self.shot_ids):
            raise ValueError("each shot may be named once")
        return self


class GeneratedImage(BaseModel):
    """One image of a generation."""

    id: UUID
    index: int
    status: PredictionStatus
    image_url: str = Field(description="Fetchable without a header until it expires.")
    width: int
    height: int
    seed: int
    scores: dict[str, float] | None = Field(description="Of the evaluator, 0 to 1.")


class FallenBack(BaseModel):
    """From which model a generation was taken, and why."""

    model_id: str = Field(description="The model that was asked for.")
    code: str = Field(description="`saturated`, or the code of its error.", examples=["saturated"])
    reason: str


class GenerationRead(BaseModel):
    """A generation, as it stands."""

    id: UUID
    shot_id: UUID
    revision: int = Field(description="Of the shot.")
    generation_type: GenerationType
    status: GenerationStatus
    progress: float = Field(description="0 to 1.")
    model_id: str = Field(description="That makes, or has made, the images.")
    fallen_back: FallenBack | None = Field(
        description="Set when another model was asked for, and the organization's "
        "`fallback_model` makes the images."
    )
    prompt: str = Field(description="As it was composed.")
    composed_by: str = Field(description="`rules`, or a language model.")
    judged_by: str | None = Field(
        description="`pixels`, or a language model; null unless it is agentic."
    )
    negative_prompt: str
    seed: int
    num_predictions: int
    attempt: int = Field(description="Of an agentic generation.")
    max_attempts: int
    min_confidence_score: float | None
    credits_charged: int
    reproduces_id: UUID | None
    inputs: dict[str, Any] = Field(
        description="All that the images are made from: the prompt's parts, the model's values "
        "and LoRAs, background, resolution, file format."
    )
    notes: list[str] = Field(
        description="On what the images are made without, such as a LoRA of another model."
    )
    predictions: list[GeneratedImage]
    error: str | None
    error_code: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class GenerationList(ListOf[GenerationRead]):
    """One page of generations."""


class SkippedShot(BaseModel):
    """A shot that got no generation, and why."""

    shot_id: UUID
    reason: str


class GenerateAllRead(BaseModel):
    """What was begun for a shooting."""

    generations: list[GenerationRead]
    skipped: list[SkippedShot]
