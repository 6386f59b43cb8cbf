"""What each type of task may be asked for: the ``config`` of ``POST /tasks/``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from serve_app.core.adapters import DEFAULT_WEIGHT, MAX_LORAS
from serve_app.core.llm.answers import CaptionKind
from serve_app.core.llm.schemas import check_schema
from serve_app.core.orders import MAX_SEED
from serve_app.core.text import refuse_nul

OutputFormat = Literal["jpeg", "png", "webp"]
Priority = Annotated[
    int,
    Field(ge=-10, le=10, description="Order among your own tasks; higher runs first."),
]
WebhookUrl = Annotated[
    str | None,
    Field(
        max_length=8192,
        description="Told when the task has ended, signed with your organization's secret "
        "(`POST /webhooks/secret`).",
    ),
]

Provider = Literal["fal"]
_PROVIDER = Field(None, description="A hosted provider that does it instead of our own model.")


class Config(BaseModel):
    """Base of the configs: unknown fields are refused, so a misspelt one is never ignored, and so
    are numbers in quotes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    _storable = field_validator("*")(refuse_nul)


class Lora(Config):
    """An adapter to apply, and how strongly."""

    name: str = Field(
        min_length=1,
        max_length=200,
        description="A name stands for its newest version, `name@2` for that one; or an id.",
        examples=["custom-model-v1"],
    )
    weight: float = Field(DEFAULT_WEIGHT, ge=-2, le=2, description="How strongly; 0 is not at all.")


class GenerationConfig(Config):
    """Images of one prompt, with the product of a picture when one is given.

    Values that are absent follow the model's defaults; the model's limits are checked against the
    catalog (``GET /api/v1/generation-models/``).
    """

    prompt: str = Field(
        min_length=1,
        max_length=10_000,
        description="What to show.",
        examples=["fashion model wearing the dress, studio lighting, white background"],
    )
    input_image_url: str | None = Field(
        None,
        max_length=8192,
        description="The product picture: a URL from `POST /storage/images`, or any public one.",
    )
    reference_image_urls: list[Annotated[str, Field(max_length=8192)]] = Field(
        [],
        max_length=8,
        description="Further pictures of what to show; for hosted models that take several.",
    )
    negative_prompt: str | None = Field(None, max_length=10_000, description="What to avoid.")
    model: str | None = Field(None, max_length=200, description="A model's name, or `default`.")
    num_outputs: int = Field(1, ge=1, description="How many images.")
    steps: int | None = Field(None, ge=1, description="Denoising steps.")
    guidance_scale: float | None = Field(
        None, ge=0, le=30, description="How closely to follow the prompt."
    )
    image_guidance_scale: float | None = Field(
        None, ge=0, le=30, description="How closely to follow the product picture."
    )
    strength: float | None = Field(
        None, gt=0, le=1, description="How far image-to-image departs from the picture."
    )
    width: int | None = Field(None, ge=1, description="Of each image, in pixels.")
    height: int | None = Field(None, ge=1, description="Of each image, in pixels.")
    seed: int | None = Field(
        None,
        ge=0,
        le=MAX_SEED,
        description="Seed of the first image; the others follow. Random when absent.",
    )
    output_format: OutputFormat = "jpeg"
    loras: list[Lora] = Field(
        [], max_length=MAX_LORAS, description="Adapters of this model to apply together."
    )

    @model_validator(mode="after")
    def _lora_names_are_unique(self) -> Self:
        names = [lora.name for lora in self.loras]
        if len(set(names)) < len(names):
            raise ValueError("each LoRA may be named once")
        return self


class GenerationCreate(GenerationConfig):
    """The body of ``POST /tasks/generation``: a generation's config and its priority."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "input_image_url": "https://storage.example.com/products/dress-001.jpg",
                    "prompt": "fashion model wearing the dress, studio lighting, white background",
                    "negative_prompt": "blurry, distorted, low quality",
                    "num_outputs": 4,
                    "steps": 30,
                    "guidance_scale": 7.5,
                }
            ]
        }
    )

    priority: Priority = 0
    webhook_url: WebhookUrl = None

    def config(self) -> GenerationConfig:
        """The config without what belongs to the task."""
        return GenerationConfig.model_validate(self.model_dump(exclude={"priority", "webhook_url"}))


class ProcessingConfig(Config):
    """What the processing operations have in common."""

    image_url: str = Field(max_length=8192, description="The picture to work on.")


class UpscaleConfig(ProcessingConfig):
    """Enlarge a picture."""

    operation: Literal["upscale"]
    provider: Provider | None = _PROVIDER
    scale: Literal[2, 3, 4] = 2
    output_format: OutputFormat = "png"


class RemoveBackgroundConfig(ProcessingConfig):
    """Cut the foreground out; the result has an alpha channel."""

    operation: Literal["remove-background"]
    provider: Provider | None = _PROVIDER
    output_format: Literal["png", "webp"] = "png"


class CompositeConfig(ProcessingConfig):
    """Put a cut-out before a colour or a picture; the result is as large as the cut-out."""

    operation: Literal["composite"]
    background_color: str | None = Field(
        None, pattern=r"^#[0-9a-fA-F]{6}$", description="White, when nothing else is named."
    )
    background_url: str | None = Field(
        None, max_length=8192, description="A picture instead, cropped to the same shape."
    )
    output_format: OutputFormat = "png"

    @model_validator(mode="after")
    def _has_one_background(self) -> Self:
        if self.background_color is not None and self.background_url is not None:
            raise ValueError("name either background_color or background_url")
        return self


class ConvertConfig(ProcessingConfig):
    """Another file format, and another size if one is named."""

    operation: Literal["convert"]
    output_format: OutputFormat
    width: int | None = Field(None, ge=1, le=8000, description="In pixels.")
    height: int | None = Field(None, ge=1, le=8000, description="In pixels.")
    fit: Literal["contain", "cover"] = Field(
        "contain",
        description="Where both sides are named: as large as fits in, or cropped to just that.",
    )


Processing = Annotated[
    UpscaleConfig | RemoveBackgroundConfig | CompositeConfig | ConvertConfig,
    Field(discriminator="operation"),
]


class GenerationTaskCreate(Config):
    """``POST /tasks/`` with type ``generation``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "generation",
                    "config": {"prompt": "fashion model wearing the dress", "num_outputs": 4},
                }
            ]
        }
    )

    type: Literal["generation"]
    config: GenerationConfig
    priority: Priority = 0
    webhook_url: WebhookUrl = None


class ProcessingTaskCreate(Config):
    """``POST /tasks/`` with type ``processing``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "processing",
                    "config": {
                        "operation": "upscale",
                        "image_url": "https://storage.example.com/outputs/look-001.jpg",
                        "scale": 2,
                    },
                }
            ]
        }
    )

    type: Literal["processing"]
    config: Processing
    priority: Priority = 0
    webhook_url: WebhookUrl = None


class QuestionConfig(Config):
    """What questions to language models have in common. They need a provider with a key."""

    model: str | None = Field(
        None,
        max_length=200,
        description="A name such as `claude-haiku`; the installation's preferred one when absent.",
    )
    max_tokens: int = Field(2048, ge=16, le=8192, description="Of the answer, at most.")


class PromptConfig(QuestionConfig):
    """Any question, about a picture if one is given; `schema` makes the answer an object."""

    operation: Literal["prompt"]
    prompt: str = Field(min_length=1, max_length=20_000)
    image_url: str | None = Field(None, max_length=8192)
    answer_schema: dict[str, Any] | None = Field(
        None, alias="schema", description="JSON Schema of an object, without patterns."
    )

    @field_validator("answer_schema")
    @classmethod
    def _is_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if schema is None else check_schema(schema)


class CaptionConfig(QuestionConfig):
    """What a picture shows, as fields."""

    operation: Literal["caption"]
    kind: CaptionKind = "product"
    image_url: str = Field(max_length=8192)


class JudgeConfig(QuestionConfig):
    """How good a generated picture of a product is."""

    operation: Literal["judge"]
    image_url: str = Field(max_length=8192)
    product_image_url: str | None = Field(None, max_length=8192)
    prompt: str = Field("", max_length=10_000, description="That it was generated from.")


class VisibilityConfig(QuestionConfig):
    """Whether a product would be visible in a shot type."""

    operation: Literal["visibility"]
    image_url: str = Field(max_length=8192, description="The product.")
    framing: str = Field(max_length=200, examples=["upper body"])
    view: str = Field("front", max_length=200)


Question = Annotated[
    PromptConfig | CaptionConfig | JudgeConfig | VisibilityConfig, Field(discriminator="operation")
]


class LlmTaskCreate(Config):
    """``POST /tasks/`` with type ``llm``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "llm",
                    "config": {
                        "operation": "caption",
                        "kind": "product",
                        "image_url": "https://storage.example.com/products/dress-001.jpg",
                    },
                }
            ]
        }
    )

    type: Literal["llm"]
    config: Question
    priority: Priority = 0
    webhook_url: WebhookUrl = None


TaskCreate = Annotated[
    GenerationTaskCreate | ProcessingTaskCreate | LlmTaskCreate, Field(discriminator="type")
]
