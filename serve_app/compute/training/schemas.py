"""What the API takes and answers about trainings."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve_app.compute.tasks.configs import WebhookUrl
from serve_app.compute.tasks.schemas import FailedAttempt
from serve_app.core.adapters import AdapterName
from serve_app.core.schemas import Input, ListOf
from serve_app.core.training.options import TrainingOptions
from serve_app.core.training.reading import Status, TrainedLora, TrainingMetrics

EntityKind = Literal["subject", "product", "style"]
Captioning = Literal["captions", "filename", "hosted", "none"]


class TrainingConfig(TrainingOptions):
    """How to train."""

    entity_type: EntityKind = Field("subject", description="What the pictures have in common.")
    captioning: Captioning = Field(
        "captions",
        description="What a picture is said to show: the dataset's own captions; or, where one has "
        "none, the words of its file name, or what a hosted language model says of it; or nothing "
        "but the trigger word, for all of them.",
    )


class TrainingCreate(Input):
    """A new training."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "dataset_url": "https://storage.example.com/datasets/model-ref.zip",
                    "base_model": "sd-xl-base",
                    "output_name": "custom-model-v1",
                    "config": {"epochs": 100, "learning_rate": 1e-4, "batch_size": 1},
                }
            ]
        },
    )

    dataset_url: str = Field(
        max_length=8192,
        description="A ZIP of pictures: a URL from `POST /storage/datasets`, or any public one.",
    )
    base_model: str | None = Field(None, max_length=200, description="A model's name, or `default`")
    output_name: AdapterName
    config: TrainingConfig = TrainingConfig()
    priority: int = Field(
        0, ge=-10, le=10, description="Order among your own tasks; higher runs first."
    )
    webhook_url: WebhookUrl = None


class TrainedOn(BaseModel):
    """The pictures that a training learns from."""

    url: str | None = Field(description="Of the archive; null: pictures of the studio.")
    sha256: str | None = Field(description="Of the archive.")
    images: int
    captions: int = Field(description="How many of them have a caption of their own.")


class TrainingValidationRead(BaseModel):
    """How good the adapter was after a step."""

    step: int
    loss: float | None = Field(description="Of the pictures to validate with; null without any.")
    similarity: float | None = Field(
        description="Of the samples to the dataset, -1 to 1; null without samples."
    )
    is_best: bool = Field(description="Better than all before.")


class TrainingSampleImage(BaseModel):
    """A picture that the adapter made while it was trained."""

    url: str = Field(description="Fetchable without a header until it expires.")
    step: int
    index: int = Field(description="Of its prompt.")
    prompt: str
    seed: int
    width: int
    height: int


class TrainingSummary(BaseModel):
    """What a training has reached."""

    phase: str | None = Field(
        description="What the run is at: start, load, encode, prior, train; null while it waits "
        "and when it has ended."
    )
    metrics: TrainingMetrics | None = Field(description="Null before the first step.")
    lora: TrainedLora | None = Field(description="When it is completed.")
    best: TrainingValidationRead | None = Field(description="What the adapter was chosen by.")
    last: TrainingValidationRead | None = Field(description="Of the final step.")


class TrainingOutput(TrainingSummary):
    """What a training has reached, with its pictures."""

    samples: list[TrainingSampleImage] = Field(description="So far, by step and prompt.")
    buckets: dict[str, int] = Field(
        description="Width and height that pictures were brought to, and how many.",
        examples=[{"1024x1024": 8, "832x1216": 4}],
    )
    validation_images: int | None
    accumulation: int | None = Field(
        description="Parts that a step is computed in: twice those asked for after the device ran "
        "out of memory."
    )


class TrainingItem(BaseModel):
    """A training as it stands."""

    id: str
    type: Literal["training"]
    status: Status
    progress: float = Field(description="0 to 1.")
    priority: int
    attempt: int = Field(description="How often it was started; it resumes where it was.")
    base_model: str
    output_name: str
    entity_type: EntityKind
    trigger_word: str | None
    output: TrainingSummary | None = Field(description="Null while nothing is known.")
    error: str | None = Field(description="Why the training failed.")
    error_code: str | None = Field(description="Machine-readable kind of the error.")
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class TrainingRead(TrainingItem):
    """A training with everything it was asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "train_06f3k2m8q7v5t1xz0c9hjnpa4r",
                    "type": "training",
                    "status": "running",
                    "progress": 0.45,
                    "output": {
                        "metrics": {
                            "current_epoch": 45,
                            "total_epochs": 100,
                            "current_step": 540,
                            "total_steps": 1200,
                            "loss": 0.023,
                            "learning_rate": 6.2e-5,
                            "images_per_second": 1.9,
                            "eta_seconds": 347.4,
                        }
                    },
                }
            ]
        }
    )

    output: TrainingOutput | None = Field(description="Null while nothing is known.")
    dataset: TrainedOn
    config: dict[str, Any] = Field(description="The request's, with everything else filled in.")
    failures: list[FailedAttempt] = Field(description="Attempts that ended without a result.")


class TrainingList(ListOf[TrainingItem]):
    """One page of trainings."""


class StepRead(BaseModel):
    """One optimizer step."""

    step: int = Field(description="From 1.")
    epoch: int
    loss: float
    learning_rate: float
    images_per_second: float
    eta_seconds: float


class TrainingHistoryRead(BaseModel):
    """Everything that a training has measured."""

    id: str
    status: Status
    steps: list[StepRead]
    validations: list[TrainingValidationRead]
