"""The on-model picture of a scene, with its masks."""

from __future__ import annotations

import random
from typing import Final

import numpy as np
import skia
from PIL import Image

from training.pretraining.renderer.attributes import SKIN_TONES, Rgb, Scene
from training.pretraining.renderer.backdrop import TINTS, cast_shadow, paint
from training.pretraining.renderer.bag import bag_place, carrier, draw_bag
from training.pretraining.renderer.body import GROUND, Body, pose_body
from training.pretraining.renderer.bottoms import draw_legwear, draw_skirt
from training.pretraining.renderer.canvas import HEIGHT, WIDTH, Canvas, Masks
from training.pretraining.renderer.fabric import Cloth, cloth_of, plain
from training.pretraining.renderer.figure import (
    draw_hand,
    draw_leg,
    draw_neck_shadow,
    draw_trunk,
)
from training.pretraining.renderer.footwear import draw_shoe
from training.pretraining.renderer.hair import draw_hair, draw_hair_behind
from training.pretraining.renderer.head import draw_head
from training.pretraining.renderer.shapes import Point
from training.pretraining.renderer.tailoring import draw_sleeves
from training.pretraining.renderer.tops import TUCKED, draw_top, draw_tucked
from training.pretraining.renderer.whole import draw_whole

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
    "feet": (5.0, 7.20),
    "bag": (3.16, 5.20),
}
#: First and last height of each garment, in heads of an adult.
EXTENTS: Final[dict[str, Point]] = {
    "t-shirt": (1.2, 3.45),
    "tank top": (1.2, 3.4),
    "shirt": (1.1, 3.65),
    "sweater": (1.05, 3.5),
    "hoodie": (0.9, 3.6),
    "jacket": (1.1, 3.7),
    "coat": (1.1, 5.3),
    "dress": (1.3, 5.0),
    "jumpsuit": (1.3, 6.5),
    "skirt": (2.8, 4.8),
    "jeans": (2.8, 6.6),
    "trousers": (2.8, 6.7),
    "shorts": (2.8, 4.6),
    "sneakers": (6.4, 7.05),
    "boots": (5.6, 7.05),
    "heels": (6.5, 7.05),
    "handbag": (3.9, 5.1),
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
    span = _DETAILS[scene.region] if detail else _SPANS[scene.framing]
    first, last = (1 + (y - 1) * tall if y > 1 else y for y in span)
    unit = HEIGHT / (last - first) * rng.uniform(0.97, 1.0)
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
    for matrix, draw in ((tilted, draw_hair_behind), (grown, _dressed), (tilted, draw_head),
                         (tilted, draw_hair)):  # fmt: skip
        canvas.transform(matrix)
        if draw is _dressed:
            _dressed(canvas, body, scene)
        else:
            draw(canvas, scene)  # type: ignore[operator]
        canvas.transform(None)
    picture, masks = canvas.finish()
    if scene.lighting in TINTS:
        picture = _tinted(picture, masks, TINTS[scene.lighting], light)
    return picture, masks


def _tinted(picture: Image.Image, masks: Masks, tint: Rgb, light: float) -> Image.Image:
    """Coloured light from one side; it leaves the true colours on the other half."""
    pixels = np.asarray(picture).astype(np.float32)
    height, width = masks.foreground.shape
    columns = np.flatnonzero(masks.foreground.any(axis=0))
    if not len(columns):
        return picture
    across = (np.arange(width) - columns[0]) / max(1, columns[-1] - columns[0])
    near = 1 - across if light > 0 else across
    amount = 0.30 * np.clip(0.55 - near, 0, 1)[None, :] * (masks.foreground / 255.0)
    pixels += (np.array(tint, dtype=np.float32) - pixels) * amount[..., None].astype(np.float32)
    return Image.fromarray(pixels.round().astype(np.uint8))


def _dressed(canvas: Canvas, body: Body, scene: Scene) -> None:
    """The person below the head, with everything that they wear and carry."""
    skin = SKIN_TONES[scene.skin]
    product = cloth_of(scene, EXTENTS[scene.garment])
    top, bottom = plain(scene.top_rgb), plain(scene.bottom_rgb)
    region, garment = scene.region, scene.garment
    for leg in body.legs:
        draw_leg(canvas, body, leg, skin)
    shoes = product if region == "feet" else plain(scene.shoes_rgb)
    if garment != "boots":
        _shoes(canvas, body, shoes, garment if region == "feet" else "plain", skin)
    if region in {"top", "whole"}:
        draw_trunk(canvas, body, skin)
        draw_neck_shadow(canvas, body, skin)
        if region == "top" or garment == "coat":
            draw_legwear(canvas, body, bottom, "plain")
    if region == "top":
        draw_top(canvas, body, product, garment, skin=skin, under=top)
    elif region == "whole":
        draw_whole(canvas, body, product, garment, skin=skin)
    else:
        _tucked_outfit(canvas, body, scene, product, top, bottom, skin)
    if region == "bag":
        draw_bag(canvas, bag_place(body), product)
        draw_hand(canvas, body, carrier(body), skin)


def _shoes(canvas: Canvas, body: Body, cloth: Cloth, name: str, skin: Rgb) -> None:
    for leg in body.legs:
        draw_shoe(canvas, body, leg, cloth, name, skin)


def _tucked_outfit(canvas: Canvas, body: Body, scene: Scene, product: Cloth, top: Cloth,
                   bottom: Cloth, skin: Rgb) -> None:  # fmt: skip
    """A plain top tucked into the garment, or into plain trousers."""
    far, near = body.arms
    if body.profile:
        draw_sleeves(canvas, body, top, TUCKED, skin, None, (far,))
    draw_trunk(canvas, body, skin)
    draw_neck_shadow(canvas, body, skin)
    path = draw_tucked(canvas, body, top)
    if scene.garment == "skirt":
        draw_skirt(canvas, body, product)
    elif scene.region == "bottom":
        draw_legwear(canvas, body, product, scene.garment)
    else:
        draw_legwear(canvas, body, bottom, "plain")
        if scene.garment == "boots":
            _shoes(canvas, body, product, "boots", skin)
    draw_sleeves(canvas, body, top, TUCKED, skin, path, (near,) if body.profile else body.arms)


def draw_on_model(scene: Scene) -> Image.Image:
    """The person wearing the garment, RGB 128x192."""
    return render_on_model(scene)[0]
