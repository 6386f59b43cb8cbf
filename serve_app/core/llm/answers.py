"""Answers of language models: what does not fit is refused, so nothing else gets further.

The models' JSON Schemas go along with the question, so they keep to what providers understand: no
defaults, no numeric bounds. The bounds are checked here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from serve_app.core.text import refuse_nul

CaptionKind = Literal["garment", "product", "person"]

_Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(refuse_nul)]
_Words = Annotated[str, StringConstraints(max_length=200), AfterValidator(refuse_nul)]


def _share(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError("must be from 0 to 1")
    return value


Share = Annotated[float, AfterValidator(_share)]


class Answer(BaseModel):
    """Base: exactly these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GarmentCaption(Answer):
    """A garment in a picture, in one sentence, to train from."""

    caption: _Text
    category: _Words
    colors: list[_Words]
    pattern: _Words


class ProductCaption(Answer):
    """A product, for the catalog."""

    title: _Words
    description: _Text
    category: _Words
    colors: list[_Words]
    materials: list[_Words]
    pattern: _Words
    details: list[_Words]
    caption: _Text


class PersonCaption(Answer):
    """A person, for casting: what can be seen, and nothing about who it is."""

    caption: _Text
    hair: _Words
    build: _Words
    expression: _Words
    pose: _Words


class Outfit(Answer):
    """Products that go with the main one, by their ids, and how they are worn."""

    product_ids: list[_Words]
    instructions: _Text
    reason: _Text


class Composition(Answer):
    """A prompt made of what a shot needs."""

    prompt: _Text
    negative_prompt: _Text


class Verdict(Answer):
    """How good a picture of a product is, each from 0 to 1, and what to change."""

    product_match: Share
    realism: Share
    composition: Share
    advice: _Text

    def scores(self) -> dict[str, float]:
        """As an evaluator gives them; of the whole, ``confidence``, the product is half."""
        parts = {
            "product_match": self.product_match,
            "realism": self.realism,
            "composition": self.composition,
        }
        total = 0.5 * self.product_match + 0.3 * self.realism + 0.2 * self.composition
        return {name: round(value, 4) for name, value in (parts | {"confidence": total}).items()}


class Visibility(Answer):
    """Whether a product is visible in a shot type."""

    is_visible: bool
    share: Share
    reason: _Text


CAPTIONS: dict[CaptionKind, type[Answer]] = {
    "garment": GarmentCaption,
    "product": ProductCaption,
    "person": PersonCaption,
}


def schema_of(answer: type[Answer]) -> dict[str, Any]:
    """The JSON Schema that goes along with a question: bounds are left out, which not every
    provider takes."""
    return dict(_plain(answer.model_json_schema()))


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        dropped = {"title", "description", "maxLength"}
        return {
            key: (
                {name: _plain(value) for name, value in part.items()}
                if key == "properties"
                else _plain(part)
            )
            for key, part in node.items()
            if key not in dropped
        }
    return [_plain(part) for part in node] if isinstance(node, list) else node
