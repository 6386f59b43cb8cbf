"""The standard presets: shot types, backgrounds and resolutions that every installation has.

One YAML file in ``configs/presets/`` each. The id of a preset follows from its slug, so it is the
same on every installation, and scripts may name it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeVar
from uuid import UUID, uuid5

import yaml
from pydantic import AfterValidator, Field, model_validator

from configs.catalog import CatalogError, Entry

PRESETS_FOLDER = Path(__file__).resolve().parent / "presets"

# Never change it: rows of all installations have ids that follow from it.
_NAMESPACE = UUID("5a3f0c1e-8f57-4c0e-9d0b-2f3c6f1b7a90")


class Preset(Entry):
    """What all standard presets have."""

    kind: ClassVar[str]

    slug: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    name: str = Field(min_length=1)

    @property
    def id(self) -> UUID:
        """Of its row."""
        return uuid5(_NAMESPACE, f"{self.kind}/{self.slug}")


class ShotTypeEntry(Preset):
    """Framing and view of a shot."""

    kind = "shot-types"

    framing: Literal[
        "full_body",
        "upper_body",
        "lower_body",
        "upper_three_quarters",
        "lower_three_quarters",
        "detail",
    ]
    view: Literal["front", "back", "side"]
    prompt: str = Field(min_length=1)


class BackgroundEntry(Preset):
    """What is behind the person. Pictures are what organizations add: none come standard."""

    kind = "background-presets"

    type: Literal["color", "prompt"]
    color: str | None = Field(None, pattern=r"^#[0-9a-f]{6}$")
    prompt: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _has_the_value_of_its_type(self) -> Self:
        if (self.color is not None, self.prompt is not None) != (
            self.type == "color",
            self.type == "prompt",
        ):
            raise ValueError("name the `color` or the `prompt`, as `type` says")
        return self


class ResolutionEntry(Preset):
    """Size of a deliverable, in pixels."""

    kind = "resolution-presets"

    width: int = Field(ge=64, le=8192)
    height: int = Field(ge=64, le=8192)


EntryT = TypeVar("EntryT", bound=Preset)


def _unlike(entries: tuple[EntryT, ...]) -> tuple[EntryT, ...]:
    slugs = [one.slug for one in entries]
    twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if twice:
        raise ValueError(f"two presets have the slug {twice[0]!r}")
    return entries


class Presets(Entry):
    """All standard presets, each kind in the order in which lists show it."""

    shot_types: Annotated[tuple[ShotTypeEntry, ...], Field(min_length=1), AfterValidator(_unlike)]
    backgrounds: Annotated[
        tuple[BackgroundEntry, ...], Field(min_length=1), AfterValidator(_unlike)
    ]
    resolutions: Annotated[
        tuple[ResolutionEntry, ...], Field(min_length=1), AfterValidator(_unlike)
    ]


def load_presets(folder: Path = PRESETS_FOLDER) -> Presets:
    """Read the three files.

    Raises:
        OSError: one of them is missing.
        CatalogError: one of them is wrong; the text names the file and the field.
    """
    try:
        kinds = {
            name: yaml.safe_load((folder / f"{name}.yaml").read_text())
            for name in Presets.model_fields
        }
        return Presets.model_validate(kinds)
    except ValueError as error:
        raise CatalogError(f"{folder}: {error}") from error
