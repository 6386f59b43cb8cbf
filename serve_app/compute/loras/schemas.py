"""What the API answers about adapters."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from db.models import AdapterSource, EntityType
from serve_app.core.schemas import ListOf


class LoraRead(BaseModel):
    """One version of an adapter."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0197f3c1-5a3e-7c4b-9d2e-5b1f0a8c6d42",
                    "name": "custom-model-v1",
                    "version": 1,
                    "source": "trained",
                    "entity_type": "subject",
                    "base_model": "sd-xl-base",
                    "family": "sdxl",
                    "rank": 16,
                    "trigger_word": "sks woman",
                    "size": 93_065_304,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "url": "https://storage.example.com/loras/pytorch_lora_weights.safetensors",
                    "training_id": "train_06f3k2m8q7v5t1xz0c9hjnpa4r",
                    "metadata": {"steps": "1000", "seed": "0"},
                    "created_at": "2026-01-15T10:30:00Z",
                }
            ]
        }
    )

    id: UUID
    name: str = Field(description="In a request for images it stands for its newest version.")
    version: int = Field(description="In a request for images, `name@version` is exactly this one.")
    source: AdapterSource
    entity_type: EntityType
    base_model: str = Field(description="The model that it was made for, and works with.")
    family: str = Field(description="Of the model.")
    rank: int = Field(description="The largest of its layers'.")
    trigger_word: str | None = Field(
        description="Makes what it shows appear; write it into the prompt."
    )
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of the file, hexadecimal.")
    url: str = Field(
        description="The safetensors file, fetchable without a header until it expires; "
        "`load_lora_weights` of diffusers takes it."
    )
    training_id: str | None = Field(description="The training that made it.")
    metadata: dict[str, Any] = Field(description="What the file says about itself.")
    created_at: datetime


class LoraList(ListOf[LoraRead]):
    """One page of adapters."""
