"""The product picture of a scene, as sellers take them: flat-lay, on a hanger, ghost mannequin."""

from __future__ import annotations

import io
import random
from typing import Final

import numpy as np
import skia
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.pretraining.renderer.attributes import Rgb, Scene
from training.pretraining.renderer.bag import draw_bag
from training.pretraining.renderer.body import Body, flat_form
from training.pretraining.renderer.bottoms import RISE, draw_legwear, draw_skirt
from training.pretraining.renderer.canvas import HEIGHT, WIDTH, Canvas, Masks, Part
from training.pretraining.renderer.dressing import EXTENTS
from training.pretraining.renderer.fabric import cloth_of
from training.pretraining.renderer.footwear import draw_side_shoe
from training.pretraining.renderer.shapes import Point, line, outline, ribbon
from training.pretraining.renderer.tops import draw_top
from training.pretraining.renderer.whole import draw_whole

_WOOD: Final[Rgb] = (190, 148, 104)
_METAL: Final[Rgb] = (150, 152, 160)
#: How far sleeves and legs are spread.
_SPREAD: Final = {"flat-lay": 1.0, "hanger": 0.0, "ghost mannequin": 0.22}
#: Half the width of a garment without long sleeves, in heads.
_HALVES: Final = {
    "t-shirt": 1.28,
    "tank top": 0.84,
    "dress": 1.28,
    "jumpsuit": 0.92,
    "skirt": 1.14,
    "jeans": 0.90,
    "trousers": 1.0,
    "shorts": 0.95,
}
#: First and last height and half the width of what hangs on no body.
_SMALL: Final = {"handbag": (-0.62, 0.62, 0.62), "boots": (-1.08, 0.86, 0.74)}


def _box(scene: Scene) -> tuple[float, float, float]:
    """First and last height and half the width of a lying garment, in heads."""
    if scene.region in {"feet", "bag"}:
        return _SMALL.get(scene.garment, (-0.60, 0.72, 0.52))
    first, last = EXTENTS[scene.garment]
    spread = _SPREAD[scene.product_shot]
    sleeves = 1.04 + 0.78 * spread
    half = _HALVES.get(scene.garment, sleeves)
    if scene.garment in _HALVES or scene.garment == "coat":
        last += 0.05
    else:
        last = max(last, 3.66)
    if scene.product_shot == "hanger":
        first -= 0.5
    return first - 0.06, last + 0.06, half


def render_product(scene: Scene, *, zoom: int = 1) -> tuple[Image.Image, Masks]:
    """The product picture (RGB) and its masks, 128x192 times `zoom`."""
    rng = random.Random(scene.jitter_seed ^ 0xF1A7)
    size = rng.uniform(0.84, 1.0) if rng.random() < 0.92 else rng.uniform(1.02, 1.12)
    turn = rng.gauss(0.0, 4.0) if scene.product_shot != "hanger" else rng.gauss(0.0, 1.2)
    light = rng.choice((-1.0, 1.0))
    first, last, half = _box(scene)
    unit = min(HEIGHT * 0.94 / (last - first), WIDTH * 0.95 / (2 * half)) * size
    middle = (first + last) / 2
    at = (WIDTH / 2 + rng.uniform(-3, 3), HEIGHT / 2 - unit * middle + rng.uniform(-4, 4))
    canvas = Canvas(unit, at, zoom=zoom, light=light)
    with canvas.placed(skia.Matrix().setRotate(max(-9.0, min(9.0, turn)), 0, middle)):
        _draw(canvas, scene)
    image, masks = canvas.finish()
    return _photographed(image, masks, scene, light, rng), masks


def _draw(canvas: Canvas, scene: Scene) -> None:
    if scene.region == "feet":
        _pair(canvas, scene)
        return
    if scene.region == "bag":
        draw_bag(canvas, (0.0, -0.56), cloth_of(scene, (-0.2, 0.62)))
        return
    cloth = cloth_of(scene, EXTENTS[scene.garment])
    form = flat_form(spread=_SPREAD[scene.product_shot], subject=scene.subject)
    if scene.product_shot == "hanger":
        _hanger(canvas, form, scene.region == "bottom")
    if scene.region == "top":
        draw_top(canvas, form, cloth, scene.garment, skin=None, under=None)
    elif scene.region == "whole":
        draw_whole(canvas, form, cloth, scene.garment, skin=None)
    elif scene.garment == "skirt":
        draw_skirt(canvas, form, cloth)
    else:
        draw_legwear(canvas, form, cloth, scene.garment)


def _hanger(canvas: Canvas, form: Body, clips: bool) -> None:
    """A wooden hanger for shoulders, or a bar with clips for a waistband."""
    top = (RISE - 0.26) if clips else 1.14
    hook = line([(0.0, top), (0.0, top - 0.14), (0.10, top - 0.24), (0.02, top - 0.36),
                 (-0.10, top - 0.28)])  # fmt: skip
    canvas.stroke(hook, _METAL, 1.3)
    if clips:
        bar = ribbon([(-0.66, top + 0.02), (0.66, top + 0.02)], [0.07, 0.07])
        canvas.fill(bar, _METAL, Part.PROP)
        for side in (-1, 1):
            x = side * form.half(RISE) * 0.8
            clip = outline([(x - 0.06, top), (x + 0.06, top)], [(x + 0.07, RISE + 0.1),
                           (x - 0.07, RISE + 0.1)])  # fmt: skip
            canvas.fill(clip, (70, 72, 80), Part.PROP)
        return
    wide = form.build.shoulder * 0.9
    arm: list[Point] = [(-wide, 1.56), (-wide * 0.5, 1.32), (0.0, top + 0.04), (wide * 0.5, 1.32),
                        (wide, 1.56)]  # fmt: skip
    canvas.fill(ribbon(arm, [0.10, 0.13, 0.13, 0.13, 0.10]), _WOOD, Part.PROP, (110, 76, 44))


def _pair(canvas: Canvas, scene: Scene) -> None:
    """Two shoes, one a little before the other, toes to one side."""
    cloth = cloth_of(scene, EXTENTS[scene.garment])
    flip = -1 if scene.mirrored else 1
    places = ((-0.40, 0.30), (0.04, 0.40)) if scene.garment == "boots" else (
        (-0.22, -0.34), (-0.16, 0.26))  # fmt: skip
    for at in places:
        with canvas.placed(skia.Matrix.Scale(flip, 1)):
            draw_side_shoe(canvas, at, cloth, scene.garment)


def _photographed(image: Image.Image, masks: Masks, scene: Scene, light: float,
                  rng: random.Random) -> Image.Image:  # fmt: skip
    """What a camera adds: a backdrop that is not quite white, a shadow, wrinkles, grain, JPEG."""
    noise = np.random.default_rng(scene.jitter_seed ^ 0xCA)
    scale = image.width // WIDTH
    pixels = np.asarray(image).astype(np.float32)
    inside = masks.foreground.astype(np.float32)[..., None] / 255
    if rng.random() < 0.6:
        pixels *= 1 + inside * (rng.uniform(0.015, 0.045) * _wrinkles(noise, image.size))
    ground = np.full((image.height, 1, 1), 255.0, dtype=np.float32)
    kind = rng.random()
    if kind > 0.8:
        ground -= np.linspace(rng.uniform(0, 8), rng.uniform(6, 22), image.height)[:, None, None]
    elif kind > 0.55:
        ground -= rng.uniform(1, 7)
    strength = rng.uniform(0.10, 0.30) if rng.random() < 0.85 else 0.0
    offset = (2.0, 2.5) if scene.product_shot == "flat-lay" else (3.0, 4.0)
    shadow = Image.fromarray(masks.foreground).filter(
        ImageFilter.GaussianBlur((2.0 if scene.product_shot == "flat-lay" else 4.0) * scale)
    )
    moved = Image.new("L", image.size)
    moved.paste(shadow, (round(-light * offset[0] * scale), round(offset[1] * scale)))
    behind = ground * (1 - strength * np.asarray(moved, dtype=np.float32)[..., None] / 255)
    pixels += (behind - 255) * (1 - inside)
    if rng.random() < 0.35:
        pixels += noise.normal(0, rng.uniform(0.8, 3.0), pixels.shape[:2])[..., None]
    image = Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))
    if rng.random() < 0.35:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(45, 90))
        image = Image.open(buffer).convert("RGB")
    return image


def _wrinkles(noise: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """A slow change of brightness over cloth, mean 0, (height, width, 1)."""
    coarse = Image.fromarray(noise.normal(0, 1, (14, 9)).astype(np.float32))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))[..., None]
    values: NDArray[np.float32] = smooth - smooth.mean()
    return values


def draw_product(scene: Scene) -> Image.Image:
    """The product alone, RGB 128x192."""
    return render_product(scene)[0]
