"""What the API answers about generation models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, computed_field

from configs.catalog import Defaults, Hosting, Limits, Mode, Price, ProviderName


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
    provider: ProviderName | None = Field(
        description="The hosted service that runs it; null: this installation does."
    )
    hosting: Hosting | None = Field(exclude=True)

    @computed_field(description="What a hosted model costs, in US dollars; null: it is our own.")  # type: ignore[prop-decorator]
    @property
    def price(self) -> Price | None:
        """Of the provider."""
        return None if self.hosting is None else self.hosting.price

    @computed_field(  # type: ignore[prop-decorator]
        description="What it can be asked for: its modes, `references` (several pictures at once), "
        "`loras`, `training`.",
        examples=[["text-to-image", "loras"]],
    )
    @property
    def capabilities(self) -> list[str]:
        """Its modes, and more."""
        further = [] if self.hosting is None else list(self.hosting.endpoints)
        if self.hosting is None:
            further.append("training")
        if self.limits.max_loras:
            further.append("loras")
        return list(dict.fromkeys([*self.modes, *further]))


class GenerationModelList(BaseModel):
    """One page of models."""

    items: list[GenerationModelRead]
    total: int
    page: int
    size: int
