"""The on-model picture of a scene, with its masks."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import numpy as np
import skia
from PIL import Image

from training.pretraining.renderer.attributes import Rgb, Scene
from training.pretraining.renderer.backdrop import TINTS, cast_shadow, paint
from training.pretraining.renderer.bag import bag_place
from training.pretraining.renderer.body import GROUND, Body, pose_body
from training.pretraining.renderer.canvas import HEIGHT, WIDTH, Canvas, Masks
from training.pretraining.renderer.dressing import draw_dressed
from training.pretraining.renderer.hair import draw_hair, draw_hair_behind
from training.pretraining.renderer.head import draw_head
from training.pretraining.renderer.shapes import Point

#: Framing → first and last height that it shows, in heads of an adult.
_SPANS: Final[dict[str, Point]] = {
    "full body": (-0.34, 7.26),
    "upper body": (-0.26, 3.46),
    "lower body": (2.44, 7.24),
    "upper three quarters": (-0.30, 4.72),
    "lower three quarters": (1.60, 7.24),
}
_DETAILS: Final[dict[str, Point]] = {
    "top": (1.0, 3.46),
    "bottom": (2.56, 4.86),
    "whole": (1.0, 3.86),
    "feet": (5.34, 7.16),
}
#: Faces are drawn a little larger than life, so that they can be read at this size.
_HEAD: Final = 1.07
#: Width and height of a body below its head, compared to an adult's.
_STATURE: Final = {"child": (0.78, 0.70), "adult": (1.0, 1.0), "elderly": (1.0, 0.96)}


def _frame(scene: Scene, body: Body) -> tuple[float, Point]:
    """Pixels per head and the pixel of body (0, 0) for a scene's framing."""
    rng = random.Random(scene.jitter_seed ^ 0xF1)
    wide, tall = _STATURE[scene.age]
    detail = scene.framing == "detail"
    if detail and scene.region == "bag":
        handle = bag_place(body)[1]
        span = (handle - 0.52, handle + 1.48)
    else:
        span = _DETAILS[scene.region] if detail else _SPANS[scene.framing]
    first, last = (1 + (y - 1) * tall if y > 1 else y for y in span)
    unit = HEIGHT / (last - first) * rng.uniform(0.97, 1.0)
    if detail and scene.region == "feet":
        # Both shoes, however far apart they stand.
        widest = max(abs(leg.joints[2][0]) for leg in body.legs) * wide
        unit = min(unit, WIDTH / 2 / (widest + 0.35)) if scene.view != "side" else unit
        first = last - HEIGHT / unit
    middle = 0.0
    if scene.view == "side" and scene.framing != "detail":
        middle = 0.04
    if detail and scene.region == "bag":
        middle = bag_place(body)[0] * wide
    elif detail and scene.region == "feet" and scene.view == "side":
        middle = 0.06
    if scene.view == "side" and scene.mirrored:
        middle = -middle
    x = WIDTH / 2 + rng.uniform(-2.5, 2.5) - middle * unit
    return unit, (x, -first * unit)


def render_on_model(scene: Scene, *, zoom: int = 1) -> tuple[Image.Image, Masks]:
    """The on-model picture (RGB) and its masks, 128x192 times `zoom`."""
    rng = random.Random(scene.jitter_seed ^ 0x11)
    body = pose_body(scene)
    unit, origin = _frame(scene, body)
    light = rng.choice((-1.0, 1.0))
    hard = scene.lighting == "hard"
    canvas = Canvas(unit, origin, zoom=zoom, light=light, shading=1.5 if hard else 1.0)
    wide, tall = _STATURE[scene.age]
    flip = -1 if scene.view == "side" and scene.mirrored else 1
    ground = origin[1] + (1 + (GROUND - 1) * tall) * unit
    horizon = ground - (0.5 if scene.framing != "detail" else 0.2) * unit
    paint(canvas, scene, horizon)
    feet = [(origin[0] + flip * leg.joints[2][0] * wide * unit, ground) for leg in body.legs]
    cast_shadow(canvas, scene, feet, unit)
    canvas.light = light * flip
    grown = skia.Matrix.Scale(flip, 1)
    grown.preTranslate(0, 1).preScale(wide, tall).preTranslate(0, -1)
    tilted = skia.Matrix.Scale(flip, 1)
    tilted.preRotate(rng.uniform(-2.5, 2.5), 0, 1.1)
    tilted.preTranslate(0, 1.02).preScale(_HEAD, _HEAD).preTranslate(0, -1.02)
    _draw_hair(canvas, scene, draw_hair_behind, tilted)
    with canvas.placed(grown):
        draw_dressed(canvas, body, scene)
    with canvas.placed(tilted):
        draw_head(canvas, scene)
    _draw_hair(canvas, scene, draw_hair, tilted)
    picture, masks = canvas.finish()
    if scene.lighting in TINTS:
        picture = _tinted(picture, masks, TINTS[scene.lighting], light)
    return picture, masks


def _draw_hair(
    canvas: Canvas, scene: Scene, draw: Callable[[Canvas, Scene], None], place: skia.Matrix
) -> None:
    """Hair, which hangs down as far on a small body as on a large one."""
    tall = _STATURE[scene.age][1]
    if tall == 1.0:
        with canvas.placed(place):
            draw(canvas, scene)
        return
    hanging = skia.Matrix.Translate(0, 1)
    hanging.preScale(1, tall).preTranslate(0, -1)
    with canvas.placed(place):
        with canvas.placed(skia.Matrix.Translate(0, 0), skia.Rect(-9, -9, 9, 1)):
            draw(canvas, scene)
        with canvas.placed(hanging, skia.Rect(-9, 1, 9, 9)):
            draw(canvas, scene)


def _tinted(picture: Image.Image, masks: Masks, tint: Rgb, light: float) -> Image.Image:
    """Coloured light from one side; it leaves the true colours on the other half."""
    pixels = np.asarray(picture).astype(np.float32)
    width = masks.foreground.shape[1]
    columns = np.flatnonzero(masks.foreground.any(axis=0))
    if not len(columns):
        return picture
    across = (np.arange(width) - columns[0]) / max(1, columns[-1] - columns[0])
    near = 1 - across if light > 0 else across
    amount = 0.30 * np.clip(0.55 - near, 0, 1)[None, :] * (masks.foreground / 255.0)
    pixels += (np.array(tint, dtype=np.float32) - pixels) * amount[..., None].astype(np.float32)
    return Image.fromarray(pixels.round().astype(np.uint8))


def draw_on_model(scene: Scene) -> Image.Image:
    """The person wearing the garment, RGB 128x192."""
    return render_on_model(scene)[0]
