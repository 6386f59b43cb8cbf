"""What the API answers about generation models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, computed_field

from configs.catalog import Defaults, Limits, Mode


class GenerationModelRead(BaseModel):
    """A model of the catalog."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["atelier-tiny"])

    @computed_field(description="What `model_id` of a generation names: the name.")  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """The same as the name."""
        return self.name

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
