"""Tasks of type ``processing``: operations on pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from deployments.contracts import (
    Pixels,
    RemoveBackgroundRequest,
    Result,
    UpscaleRequest,
)
from serve_app.compute.runner.handlers.base import Work
from serve_app.core.errors import InvalidInput

# Standard deviation of a border, in levels of 8 bits, up to which it is of one colour.
_PLAIN = 8.0


class NothingTransparent(InvalidInput):
    """A picture to be put before another one hides all of it."""

    code = "nothing_transparent"

    def __init__(
        self, detail: str = "the picture has no transparency: remove its background first"
    ) -> None:
        super().__init__(detail)
        self.args = (detail,)


class ProcessingHandler:
    """Sends pictures to the deployment of an operation."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Process, embed the recipe, store; see `Handler.run`."""
        return await _OPERATIONS[work.task.config["operation"]](work)


async def _upscale(work: Work) -> dict[str, Any]:
    config = work.task.config
    pixels = await work.load(config["image"])
    height, width = pixels.shape[:2]
    _check_size(work, width * config["scale"], height * config["scale"])
    result = await work.infer(UpscaleRequest(work.task.id, pixels, config["scale"]))
    (image,) = result.images
    if fit := config.get("fit"):
        image = await asyncio.to_thread(_fit, image, fit["width"], fit["height"])
    return await _stored(work, image, result)


async def _remove_background(work: Work) -> dict[str, Any]:
    cut_out, result = await _cut_out(work, await work.load(work.task.config["image"]))
    return await _stored(work, cut_out, result)


async def _replace_background(work: Work) -> dict[str, Any]:
    config = work.task.config
    cut_out, result = await _cut_out(work, await work.load(config["image"]))
    background = config["background"]
    picture = await work.load(background["image"]) if "image" in background else None
    image = await asyncio.to_thread(_composite, cut_out, background.get("color"), picture)
    return await _stored(work, image, result)


async def _evaluate(work: Work) -> dict[str, Any]:
    """Scores of each picture, in their order; nothing is stored."""
    # Its libraries take a second to load, which no other task should wait for.
    from serve_app.core.evaluation import PixelEvaluator  # noqa: PLC0415

    evaluator = PixelEvaluator()
    config = work.task.config
    product = None if config["product"] is None else await work.load(config["product"])
    scores = []
    for number, reference in enumerate(config["images"], 1):
        cut_out, _ = await _cut_out(work, await work.load(reference))
        judged = await asyncio.to_thread(evaluator.score, cut_out, product)
        scores.append(judged.as_dict())
        work.report(number / len(config["images"]))
    return {"images": [], "scores": scores}


async def _lay_before(work: Work) -> dict[str, Any]:
    config = work.task.config
    cut_out = await work.load(config["image"], keep_alpha=True)
    if cut_out.shape[2] < 4:
        raise NothingTransparent
    ground = config.get("background_image")
    picture = None if ground is None else await work.load(ground)
    image = await asyncio.to_thread(_composite, cut_out, config["background_color"], picture)
    return await _stored(work, image)


async def _convert(work: Work) -> dict[str, Any]:
    config = work.task.config
    pixels = await work.load(config["image"], keep_alpha=True)
    height, width = pixels.shape[:2]
    size = _size(width, height, config["width"], config["height"])
    _check_size(work, *size)
    image = await asyncio.to_thread(_resized, pixels, size, covers=config["fit"] == "cover")
    return await _stored(work, image)


_OPERATIONS: Mapping[str, Callable[[Work], Awaitable[dict[str, Any]]]] = {
    "upscale": _upscale,
    "remove-background": _remove_background,
    "replace-background": _replace_background,
    "evaluate": _evaluate,
    "composite": _lay_before,
    "convert": _convert,
}


async def _cut_out(work: Work, pixels: Pixels) -> tuple[Pixels, Result]:
    result = await work.infer(RemoveBackgroundRequest(work.task.id, pixels))
    (image,) = result.images
    return image, result


async def _stored(work: Work, image: Pixels, result: Result | None = None) -> dict[str, Any]:
    config = work.task.config
    recipe = {
        "operation": config["operation"],
        "scale": config.get("scale"),
        "task_id": work.task.id,
        "input_image_sha256": config["image"]["sha256"],
        "made_with": {} if result is None else result.info,
    }
    return {"images": [await work.store(0, image, config["output_format"], recipe)]}


def _fit(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale a picture to exactly ``width`` x ``height``.

    Another aspect ratio is reached by more of the background where that is of one colour, so that
    nobody loses a head; else the picture is cropped around its centre.
    """
    picture = Image.fromarray(pixels)
    size, method = (width, height), Image.Resampling.LANCZOS
    sides = [pixels[0], pixels[:, 0], pixels[:, -1]]
    if width * picture.height < height * picture.width:
        # More is needed below: only if nobody is cut off there.
        sides.append(pixels[-1])
    border = np.concatenate(sides)
    is_plain = border.std(axis=0).max() < _PLAIN
    if not is_plain:
        return np.asarray(ImageOps.fit(picture, size, method))
    colour = tuple(int(value) for value in np.median(border, axis=0))
    return np.asarray(ImageOps.pad(picture, size, method, color=colour))


def _composite(cut_out: Pixels, color: str | None, picture: Pixels | None) -> Pixels:
    """A cut-out (H, W, 4) before a colour or a picture of any size: (H, W, 3)."""
    size = (cut_out.shape[1], cut_out.shape[0])
    if picture is None:
        ground = Image.new("RGB", size, color or "#ffffff")
    else:
        ground = ImageOps.fit(Image.fromarray(picture), size, Image.Resampling.LANCZOS)
    person = Image.fromarray(cut_out)
    ground.paste(person.convert("RGB"), mask=person.getchannel("A"))
    return np.asarray(ground)


def _size(width: int, height: int, wide: int | None, high: int | None) -> tuple[int, int]:
    """The size that is asked for, of a picture of ``width`` x ``height``: of one side alone the
    other one follows."""
    if wide is not None and high is not None:
        return wide, high
    factor = wide / width if wide is not None else high / height if high is not None else 1.0
    return max(1, round(width * factor)), max(1, round(height * factor))


def _check_size(work: Work, width: int, height: int) -> None:
    limit = work.resources.settings.media.max_output_pixels
    if width * height > limit:
        raise InvalidInput(f"the result would have more than {limit:,} pixels")


def _resized(pixels: Pixels, size: tuple[int, int], *, covers: bool) -> Pixels:
    """A picture (H, W, 3 or 4) that fits into ``size``, or is cropped to just that."""
    picture = Image.fromarray(pixels)
    resize = ImageOps.fit if covers else ImageOps.contain
    return np.asarray(resize(picture, size, Image.Resampling.LANCZOS))
