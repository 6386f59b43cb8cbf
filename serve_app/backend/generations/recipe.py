"""What a generation is made from, kept with it so that it can be made again to the last bit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from configs.catalog import ModelEntry
from db.models import BackgroundType, Media, ProductImageType, StepKind, View
from db.repositories.queue import NewTask
from db.repositories.shot_inputs import ShotInputs
from serve_app.core import orders
from serve_app.core.orders import ImageReference

# An aspect ratio that differs by less is left to the crop.
_SAME_ASPECT = 1.05
# Who composes prompts, and judges images, unless a language model is named.
RULES, PIXELS = "rules", "pixels"
# Between steps nothing is lost.
_BETWEEN = "png"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The values of all tasks of a generation.

    Attributes:
        composition: the parts of its prompt.
        config: of the generation task, settled.
        product: the product picture that the model sees, or None.
        background: what is put behind the person, as the operation takes it, or None.
        resolution: (width, height) in pixels of the result, or None for the model's own.
        file_format: of the result.
        notes: on what the images were made without, in words.
        composer: who is to write the prompt before the images are made, as the config of a
            question; None: nobody, it is there.
        composed_by: who has written it: ``rules``, or a language model.
        judge: the language model that judges the images, as the config of a question; None: their
            pixels are measured.
    """

    composition: Mapping[str, str]
    config: Mapping[str, Any]
    product: ImageReference | None
    background: Mapping[str, Any] | None
    resolution: tuple[int, int] | None
    file_format: str
    notes: tuple[str, ...] = ()
    composer: Mapping[str, Any] | None = None
    composed_by: str = RULES
    judge: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "composition": dict(self.composition),
            "config": dict(self.config),
            "product": self.product.as_dict() if self.product else None,
            "background": self.background,
            "resolution": self.resolution,
            "file_format": self.file_format,
            "notes": list(self.notes),
            "composer": self.composer,
            "composed_by": self.composed_by,
            "judge": self.judge,
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From what is stored."""
        product, resolution = stored["product"], stored["resolution"]
        return cls(
            composition=stored["composition"],
            config=stored["config"],
            product=ImageReference.of(product) if product else None,
            background=stored["background"],
            resolution=tuple(resolution) if resolution else None,
            file_format=stored["file_format"],
            # Absent from what was stored before there were LoRAs.
            notes=tuple(stored.get("notes", ())),
            # And before language models had a part in it.
            composer=stored.get("composer"),
            composed_by=stored.get("composed_by", RULES),
            judge=stored.get("judge"),
        )

    @property
    def finishing(self) -> tuple[StepKind, ...]:
        """The steps that each accepted image goes through, in their order."""
        upscale = (StepKind.UPSCALE,) if self.resolution else ()
        # Last: no model may touch the colour that a brand has chosen.
        background = (StepKind.BACKGROUND,) if self.background else ()
        return (*upscale, *background)

    def generate(self, config: Mapping[str, Any]) -> NewTask:
        """The task that makes the images; ``config``: the recipe's, or of a later attempt."""
        return orders.generation(
            {**config, "output_format": self._format_of(StepKind.GENERATE)}, self.product
        )

    def evaluate(self, images: list[dict[str, Any]]) -> NewTask:
        """The task that judges them."""
        references = [ImageReference.of(image) for image in images]
        if self.judge is not None:
            return orders.judge(self.judge, references, self.product, self.config["prompt"])
        return orders.evaluate(references, self.product)

    def compose(self) -> NewTask:
        """The task that writes the prompt."""
        assert self.composer is not None
        return orders.question(self.composer)

    def begin(self) -> tuple[StepKind, NewTask]:
        """The first task, and what it does."""
        if self.composer is not None:
            return StepKind.COMPOSE, self.compose()
        return StepKind.GENERATE, self.generate(self.config)

    def finish(self, kind: StepKind, image: Mapping[str, Any]) -> NewTask:
        """The task of one finishing step of one image."""
        reference, output_format = ImageReference.of(image), self._format_of(kind)
        if kind is StepKind.BACKGROUND:
            assert self.background is not None
            return orders.replace_background(
                reference, self.background, output_format=output_format
            )
        assert self.resolution is not None
        width, height = self.resolution
        source = (image["width"], image["height"])
        return orders.upscale(
            reference, width=width, height=height, source=source, output_format=output_format
        )

    def _format_of(self, kind: StepKind) -> str:
        last = self.finishing[-1] if self.finishing else StepKind.GENERATE
        return self.file_format if kind is last else _BETWEEN


def product_picture(inputs: ShotInputs) -> Media | None:
    """The picture of the main product that shows the side the camera sees; else its cover."""
    wanted = {
        View.BACK: ProductImageType.BACK,
        View.SIDE: ProductImageType.SIDE,
        View.FRONT: ProductImageType.PRIMARY,
    }[inputs.shot_type.view]
    images = inputs.product.images
    for kind in (wanted, ProductImageType.PRIMARY):
        for image in images:
            if image.type is kind:
                return image.media
    return images[0].media if images else None


def background_of(inputs: ShotInputs) -> dict[str, Any] | None:
    """What is put behind the person; a background that is generated is part of the prompt."""
    preset = inputs.background
    if preset is None or preset.type is BackgroundType.PROMPT:
        return None
    if preset.type is BackgroundType.COLOR:
        return {"color": preset.color}
    assert preset.media is not None
    return {"image": reference_to(preset.media).as_dict()}


def media_of(inputs: ShotInputs) -> Iterator[UUID]:
    """The pictures that the shot's images are made from."""
    if (picture := product_picture(inputs)) is not None:
        yield picture.id
    if inputs.background is not None and inputs.background.media_id is not None:
        yield inputs.background.media_id


def reference_to(media: Media) -> ImageReference:
    """A media row as tasks name it."""
    return ImageReference(media.path, media.sha256)


def native_size(entry: ModelEntry, resolution: tuple[int, int] | None) -> tuple[int, int]:
    """(width, height) at which a model makes a picture for a resolution: of the sizes that it was
    trained at the one with the nearest aspect ratio; if it takes any size, as many pixels as by
    default in the resolution's aspect ratio."""
    width, height = entry.defaults.width, entry.defaults.height
    if resolution is None:
        return width, height
    aspect = resolution[0] / resolution[1]
    if entry.sizes:
        return min(entry.sizes, key=lambda size: abs(math.log(size[0] / size[1] / aspect)))
    if max(aspect * height / width, width / (aspect * height)) < _SAME_ASPECT:
        return width, height
    ideal = math.sqrt(width * height * aspect)
    limits = entry.limits
    return (
        _side(ideal, limits.min_side, limits.max_width, limits.multiple_of),
        _side(ideal / aspect, limits.min_side, limits.max_height, limits.multiple_of),
    )


def _side(ideal: float, least: int, most: int, multiple: int) -> int:
    rounded = round(ideal / multiple) * multiple
    lowest = math.ceil(least / multiple) * multiple
    return max(lowest, min(rounded, most // multiple * multiple))
