"""The prompt of a shot, by rules: what is worn, by whom, in which framing, before what, how.

The order is that of importance, as text encoders weigh the first words most.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from db.models import BackgroundType
from db.repositories.shot_inputs import ShotInputs
from serve_app.backend.generations.loras import ShotLoras
from serve_app.core.phrases import describe_product, describe_shot_type, describe_subject

# Behind a person who will be cut out: what a cut-out is cleanest from.
_PLAIN_BACKGROUND = "white background"


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


def compose(
    inputs: ShotInputs, loras: ShotLoras, *, extra: str = "", negative: str = ""
) -> Composition:
    """The prompt of a shot's images.

    Args:
        inputs: what the shot's look names.
        loras: what its images are made with; their trigger words stand beside what they show.
        extra: what a person adds for this time.
        negative: what to avoid this time, besides what style and guidelines say.
    """
    style, guideline, rule = inputs.style, inputs.guideline, inputs.rule
    styled = [style.prompt, style.lighting, style.tone, ", ".join(style.palette)] if style else []
    guided = [one.prompt for one in (guideline, rule) if one]
    avoided = [one.negative_prompt for one in (style, guideline, rule) if one]
    return Composition(
        subject=loras.named(describe_subject(inputs.subject), inputs.subject.lora_id),
        product=loras.named(describe_product(inputs.product), inputs.product.lora_id),
        further_products=" and ".join(
            loras.named(describe_product(one), one.lora_id) for one in inputs.further_products
        ),
        shot_type=describe_shot_type(inputs.shot_type),
        background=_background(inputs),
        style=loras.named(_join(styled), style.lora_id if style else None),
        guidelines=_join(guided),
        outfit=inputs.look.outfit_instructions or "",
        extra=extra,
        negative=_join([*avoided, negative]),
    )


def _background(inputs: ShotInputs) -> str:
    preset = inputs.background
    if preset is not None and preset.type is BackgroundType.PROMPT:
        return preset.prompt or ""
    return _PLAIN_BACKGROUND


def _join(parts: Iterable[str | None]) -> str:
    return ", ".join(part.strip().strip(",") for part in parts if part and part.strip())
