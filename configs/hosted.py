"""What hosted providers do beside generating images: operations on pictures, and text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, model_validator

from configs.catalog import CatalogError, Entry, Price, ProviderName

HOSTED_FILE = Path(__file__).resolve().parent / "hosted.yaml"


class Operation(Entry):
    """An operation on one picture."""

    endpoint: str
    price: Price


class TextModel(Entry):
    """A model that answers with text; prices are of a million tokens."""

    provider: ProviderName
    endpoint: str
    usd_per_million_input: float = Field(ge=0)
    usd_per_million_output: float = Field(ge=0)

    def cost(self, input_tokens: int, output_tokens: int) -> Decimal:
        """US dollars for so many tokens."""
        micros = (
            input_tokens * self.usd_per_million_input + output_tokens * self.usd_per_million_output
        )
        return Decimal(str(round(micros, 3))) / 1_000_000


class Hosted(Entry):
    """The whole file."""

    operations: Mapping[ProviderName, Mapping[str, Operation]]
    texts: Mapping[str, TextModel]
    preference: tuple[str, ...]

    @model_validator(mode="after")
    def _preferred_are_known(self) -> Self:
        if unknown := set(self.preference) - set(self.texts):
            raise ValueError(f"`preference` names unknown models: {sorted(unknown)}")
        return self

    def available_texts(self, providers: Collection[str]) -> dict[str, TextModel]:
        """The models for text whose providers are there, the preferred ones first."""
        order = [*self.preference, *(name for name in self.texts if name not in self.preference)]
        return {name: self.texts[name] for name in order if self.texts[name].provider in providers}


@lru_cache(maxsize=1)
def load_hosted(path: Path = HOSTED_FILE) -> Hosted:
    """Read the file.

    Raises:
        CatalogError: it is wrong; the text names the field.
    """
    try:
        return Hosted.model_validate(yaml.safe_load(path.read_text()))
    except ValueError as error:
        raise CatalogError(f"{path.name}: {error}") from error
