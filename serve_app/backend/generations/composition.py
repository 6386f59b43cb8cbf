"""The prompt of a shot, by rules: what is worn, by whom, in which framing, before what, how.

The order is that of importance, as text encoders weigh the first words most.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from db.models import AgeClass, BackgroundType, Product, Subject
from db.repositories.shot_inputs import ShotInputs

# Behind a person who will be cut out: what a cut-out is cleanest from.
_PLAIN_BACKGROUND = "white background"
_AGES = {
    AgeClass.KID: "child",
    AgeClass.TEEN: "teenage",
    AgeClass.YOUNG: "young",
    AgeClass.MIDDLE_AGE: "middle-aged",
    AgeClass.ELDER: "elderly",
}
_PEOPLE = {
    "female": "woman",
    "woman": "woman",
    "women": "woman",
    "male": "man",
    "man": "man",
    "men": "man",
}
_CHILDREN = {"woman": "girl", "man": "boy", "person": "child"}


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts of a prompt, each a phrase or empty."""

    subject: str
    product: str
    further_products: str
    shot_type: str
    background: str
    style: str
    guidelines: str
    outfit: str
    extra: str
    negative: str

    @property
    def prompt(self) -> str:
        """The whole, as a model reads it."""
        person = f"{self.subject} wearing {self.product}"
        if self.further_products:
            person = f"{person} with {self.further_products}"
        rest = (
            self.shot_type,
            self.background,
            self.style,
            self.guidelines,
            self.outfit,
            self.extra,
        )
        return _join([person, *rest])

    def as_dict(self) -> dict[str, str]:
        """As it is kept with the generation."""
        return asdict(self)


def compose(inputs: ShotInputs, *, extra: str = "", negative: str = "") -> Composition:
    """The prompt of a shot's images.

    Args:
        inputs: what the shot's look names.
        extra: what a person adds for this time.
        negative: what to avoid this time, besides what style and guidelines say.
    """
    style, guideline, rule = inputs.style, inputs.guideline, inputs.rule
    styled = [style.prompt, style.lighting, style.tone, ", ".join(style.palette)] if style else []
    guided = [one.prompt for one in (guideline, rule) if one]
    avoided = [one.negative_prompt for one in (style, guideline, rule) if one]
    return Composition(
        subject=_subject(inputs.subject),
        product=_product(inputs.product),
        further_products=" and ".join(map(_product, inputs.further_products)),
        shot_type=inputs.shot_type.prompt
        or f"{_words(inputs.shot_type.framing)}, {inputs.shot_type.view.value} view",
        background=_background(inputs),
        style=_join(styled),
        guidelines=_join(guided),
        outfit=inputs.look.outfit_instructions or "",
        extra=extra,
        negative=_join([*avoided, negative]),
    )


def _product(product: Product) -> str:
    if product.caption:
        return product.caption.strip().rstrip(".")
    name = product.name.strip().lower()
    colour = (product.color or "").strip().lower()
    named = name if not colour or colour in name else f"{colour} {name}"
    materials = " and ".join(product.materials)
    is_plural = named.endswith("s") and not named.endswith("ss")
    article = "" if is_plural else "an " if named[:1] in "aeiou" else "a "
    return f"{article}{named} made of {materials}" if materials else f"{article}{named}"


def _subject(subject: Subject) -> str:
    person = _PEOPLE.get((subject.gender or "").lower(), "person")
    if subject.age_class is AgeClass.KID:
        person = _CHILDREN[person]
    elif subject.age_class is not None:
        person = f"{_AGES[subject.age_class]} {person}"
    traits = [
        *([f"{subject.hair} hair"] if subject.hair else []),
        *([f"{subject.eye_color} eyes"] if subject.eye_color else []),
        *([f"{subject.skin_tone} skin"] if subject.skin_tone else []),
        *([f"{subject.body_type} build"] if subject.body_type else []),
    ]
    article = "an" if person[0] in "aeiou" else "a"
    return f"{article} {person} with {' and '.join(traits)}" if traits else f"{article} {person}"


def _background(inputs: ShotInputs) -> str:
    preset = inputs.background
    if preset is not None and preset.type is BackgroundType.PROMPT:
        return preset.prompt or ""
    return _PLAIN_BACKGROUND


def _words(name: str) -> str:
    return name.replace("_", " ")


def _join(parts: Iterable[str | None]) -> str:
    return ", ".join(part.strip().strip(",") for part in parts if part and part.strip())
