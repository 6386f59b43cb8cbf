"""The catalog of generation models: one YAML file in ``configs/models/`` each.

The catalog is data for everyone: the gateway validates requests against it, deployments load from
it. It therefore imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.settings import CHECKOUT, Settings, get_settings

CATALOG_FOLDER = Path(__file__).resolve().parent / "models"

Mode = Literal["text-to-image", "image-to-image", "instruction"]
# Hosted services that run models for us; each has settings of its name.
ProviderName = Literal["fal", "claude", "gemini"]


class CatalogError(ValueError):
    """A catalog file is wrong; the text names the file and the field."""


class Entry(BaseModel):
    """Base of the catalog's parts: unknown keys are refused, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Entry):
    """Where weights come from: a local folder (relative to the checkout), or a hub id."""

    path: Path | None = None
    repo: str | None = None
    revision: str | None = None
    variant: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.path is None) == (self.repo is None):
            raise ValueError("name either a local `path` or a hub `repo`")
        if self.repo is not None and self.revision is None:
            raise ValueError("a hub `repo` needs a pinned `revision`")
        return self

    @property
    def location(self) -> str:
        """What ``from_pretrained`` takes."""
        if self.path is not None:
            return str(self.path if self.path.is_absolute() else CHECKOUT / self.path)
        assert self.repo is not None
        return self.repo


class Limits(Entry):
    """What a request may ask of the model; beyond it the request is refused."""

    min_side: int = 64
    max_width: int
    max_height: int
    # Both sides are multiples of this many pixels.
    multiple_of: int = 8
    max_outputs: int = 8
    max_steps: int = 100
    max_prompt_characters: int = 2000
    # Images that one pipeline call denoises together.
    max_batch: int = 8
    max_loras: int = 4


class Defaults(Entry):
    """Values of a request that names none."""

    width: int
    height: int
    steps: int
    guidance_scale: float
    image_guidance_scale: float = 1.5
    strength: float = 0.8
    negative_prompt: str = ""


class TrainingDefaults(Entry):
    """Values of a training that names none; what a file does not name is good for large models."""

    steps: int = Field(1000, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    batch_size: int = Field(1, ge=1)
    rank: int = Field(16, ge=1)
    # Adapters on the text encoders as well; on feed-forward layers and convolutions as well.
    train_text_encoder: bool = False
    train_whole_blocks: bool = False


class Price(Entry):
    """What a provider asks for, in US dollars; what it does not name costs nothing."""

    usd_per_image: float = Field(0.0, ge=0)
    usd_per_megapixel: float = Field(0.0, ge=0)
    usd_per_training_step: float = Field(0.0, ge=0)


class Hosting(Entry):
    """How a provider runs the model.

    ``endpoints`` names the provider's own model by what is asked of it: a mode, ``references``
    (several pictures at once), or ``training``.
    """

    endpoints: Mapping[str, str]
    price: Price
    # Pictures that one request may show it.
    max_references: int = Field(1, ge=0)


class ModelEntry(Entry):
    """One generation model that the platform can run, itself or at a provider."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    description: str
    license: str
    # Key of the family registry (deployments/registry.py).
    family: str
    modes: tuple[Mode, ...]
    # Exactly one of the two: weights that we run, or the provider that does.
    source: Source | None = None
    provider: ProviderName | None = None
    hosting: Hosting | None = None
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    # diffusers scheduler class and its options; unset: the one in the checkpoint.
    scheduler: str | None = None
    scheduler_options: Mapping[str, object] = {}
    limits: Limits
    defaults: Defaults
    training: TrainingDefaults = TrainingDefaults()
    # (width, height) that it was trained at, for models that take no other well; empty: any.
    sizes: tuple[tuple[int, int], ...] = ()
    requires_gpu: bool = False
    # Set by the family's own needs: sequence length of the second text encoder, and the like.
    options: Mapping[str, object] = {}

    @model_validator(mode="after")
    def _runs_somewhere(self) -> Self:
        if (self.source is None) == (self.provider is None):
            raise ValueError("name either the `source` of weights or a hosted `provider`")
        if (self.provider is None) != (self.hosting is None):
            raise ValueError("`provider` and `hosting` go together")
        return self

    @property
    def weights(self) -> Source:
        """Where its weights are, of a model that we run.

        Raises:
            CatalogError: it is hosted.
        """
        if self.source is None:
            raise CatalogError(f"{self.name} is run by {self.provider}: it has no weights here")
        return self.source

    @property
    def queue(self) -> str:
        """Where its generations wait."""
        return self.provider or "generation"


class Catalog(Mapping[str, ModelEntry]):
    """Model entries by name."""

    def __init__(self, entries: Mapping[str, ModelEntry], default: str) -> None:
        self._entries = dict(entries)
        self._default = default

    @classmethod
    def load(cls, folders: list[Path], default: str) -> Self:
        """Read every ``*.yaml`` of the folders.

        Raises:
            CatalogError: a file is not a valid entry, or two have one name.
        """
        entries: dict[str, ModelEntry] = {}
        for path in sorted(path for folder in folders for path in folder.glob("*.yaml")):
            try:
                entry = ModelEntry.model_validate(yaml.safe_load(path.read_text()))
            except ValueError as error:
                raise CatalogError(f"{path.name}: {error}") from error
            if entry.name in entries:
                raise CatalogError(f"{path.name}: a model named {entry.name!r} exists already")
            entries[entry.name] = entry
        return cls(entries, default)

    def resolve(self, name: str | None) -> ModelEntry:
        """The entry of a name; ``None`` and ``"default"`` mean the installation's default.

        Raises:
            KeyError: no such model.
        """
        return self._entries[self._default if name in {None, "default"} else str(name)]

    def available(self, *, gpu: bool, providers: Collection[str] = ()) -> list[ModelEntry]:
        """The entries that this machine can run, and those of these providers."""
        return [
            entry
            for entry in self._entries.values()
            if (entry.provider in providers if entry.provider else gpu or not entry.requires_gpu)
        ]

    def __getitem__(self, name: str) -> ModelEntry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def load_catalog(settings: Settings) -> Catalog:
    """The catalog that ships, with the installation's own entries beside it."""
    folders = [CATALOG_FOLDER] + ([settings.models.catalog] if settings.models.catalog else [])
    return Catalog.load(folders, settings.models.default)


@lru_cache(maxsize=1)
def get_catalog() -> Catalog:
    """The catalog of this process, read once."""
    return load_catalog(get_settings())
