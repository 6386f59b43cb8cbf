"""What the API answers about generation models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from configs.catalog import Defaults, Limits, Mode


class GenerationModelRead(BaseModel):
    """A model of the catalog."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["atelier-tiny"])
    title: str
    description: str
    license: str
    modes: list[Mode]
    limits: Limits
    defaults: Defaults


class GenerationModelList(BaseModel):
    """One page of models."""

    items: list[GenerationModelRead]
    total: int
    page: int
    size: int
