"""What the API takes about trainings of subjects and products."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from serve_app.core.adapters import AdapterName
from serve_app.core.schemas import Input
from serve_app.core.training.options import TrainingOptions


class StudioTrainingConfig(TrainingOptions):
    """How to train; the trigger word follows from the name when it is absent."""

    captioning: Literal["fields", "hosted", "none"] = Field(
        "fields",
        description="What a picture is said to show: what the fields say, with its shot type; "
        "what a hosted language model says of it; or nothing but the trigger word.",
    )


class TrainRequest(Input):
    """A training of a subject or a product."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {"config": {"steps": 600, "rank": 8, "validation_split": 0.1}},
                {"base_model": "sd-xl-base", "output_name": "mira", "config": {"epochs": 100}},
            ]
        },
    )

    base_model: str | None = Field(None, max_length=200, description="A model's name, or `default`")
    output_name: AdapterName | None = Field(
        None, description="Of the LoRA; from the name when absent. A new training is a new version."
    )
    config: StudioTrainingConfig = StudioTrainingConfig()
