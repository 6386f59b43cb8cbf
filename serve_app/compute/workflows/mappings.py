"""Where the inputs of a step come from: ``steps.<name>.output.images[<i>].<field>``, or
``input.<field>`` of the workflow's start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

_OF_STEP: Final = re.compile(
    r"steps\.(?P<step>[A-Za-z0-9_-]+)\.output\.images\[(?P<index>\d{1,5})\]\.(?P<field>\w+)"
)
_OF_INPUT: Final = re.compile(r"input\.(?P<field>[A-Za-z_]\w*)")
GRAMMAR: Final = "steps.<name>.output.images[<i>].<field> or input.<field>"

# Fields of an image of an output, with a value of their type.
IMAGE_FIELDS: Final[Mapping[str, Any]] = {
    "url": "https://pictures.invalid/of-a-step.png",
    "seed": 0,
    "width": 64,
    "height": 64,
    "content_type": "image/png",
    "size": 1,
    "sha256": "0" * 64,
}


@dataclass(frozen=True, slots=True)
class FromStep:
    """A field of an image that a step makes; ``index`` counts from 0."""

    step: str
    index: int
    field: str


@dataclass(frozen=True, slots=True)
class FromInput:
    """A field of what the workflow is started with."""

    field: str


Source: TypeAlias = FromStep | FromInput


def parse(text: str) -> Source | None:
    """The source that a mapping names; None: it names none."""
    if match := _OF_STEP.fullmatch(text):
        return FromStep(match["step"], int(match["index"]), match["field"])
    if match := _OF_INPUT.fullmatch(text):
        return FromInput(match["field"])
    return None


def sources(mappings: Mapping[str, str]) -> dict[str, Source]:
    """By field of a config its source, of mappings that were checked."""
    parsed = {field: parse(text) for field, text in mappings.items()}
    return {field: source for field, source in parsed.items() if source is not None}
