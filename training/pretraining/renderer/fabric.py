"""Fabrics: what a colour and a pattern look like, and the colours of their seams and folds."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import skia

from training.pretraining.renderer.attributes import Rgb, Scene, luminance, mix
from training.pretraining.renderer.canvas import argb
from training.pretraining.renderer.shapes import Point, ellipse

#: Pixels per head of a pattern's tile.
_TILE_SCALE: Final = 96
#: Size of the repeat of each pattern in heads.
_REPEAT: Final[dict[str, Point]] = {
    "striped": (0.42, 0.42),
    "dotted": (0.4, 0.4),
    "checked": (0.46, 0.46),
    "floral": (1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Cloth:
    """A fabric cut for one canvas.

    Attributes:
        fill: its colour, or a shader of its pattern in body coordinates.
        colour: of its ground.
        accent: of its pattern.
        seam: of contours and seams.
        fold: of folds and of the shade.
        product: it is the product's, so that it belongs to the garment's mask.
        seed: decides its folds.
    """

    fill: Any
    colour: Rgb
    accent: Rgb
    seam: Rgb
    fold: Rgb
    product: bool
    seed: int


def plain(rgb: Rgb, *, product: bool = False, seed: int = 0) -> Cloth:
    """A fabric without a pattern."""
    return Cloth(rgb, rgb, rgb, seam(rgb), fold(rgb), product, seed)


def cloth_of(scene: Scene, extent: Point) -> Cloth:
    """The fabric of the scene's garment, which reaches from one height to another."""
    rgb = scene.garment_rgb
    fill: Any = rgb
    if scene.pattern == "colour-blocked":
        fill = _blocks(rgb, scene.accent_rgb, extent)
    elif scene.pattern != "plain":
        fill = _tiles(scene)
    return Cloth(fill, rgb, scene.accent_rgb, seam(rgb), fold(rgb), True, scene.jitter_seed)


def seam(rgb: Rgb) -> Rgb:
    """The colour of seams and contours on a fabric: darker, or lighter on near-black."""
    if luminance(rgb) < 62:
        return mix(rgb, (186, 186, 198), 0.34)
    return mix(rgb, (24, 16, 34), 0.46)


def fold(rgb: Rgb) -> Rgb:
    """The colour of folds and shade on a fabric, laid over it with a low opacity."""
    return (6, 4, 12) if luminance(rgb) < 62 else mix(rgb, (30, 14, 50), 0.72)


def _blocks(rgb: Rgb, accent: Rgb, extent: Point) -> skia.Shader:
    """A broad band of the accent a little below the middle of the garment."""
    first, last = extent
    colours = [argb(rgb), argb(rgb), argb(accent), argb(accent), argb(rgb), argb(rgb)]
    stops = [0.0, 0.40, 0.40, 0.66, 0.66, 1.0]
    return skia.GradientShader.MakeLinear([(0, first), (0, last)], colours, stops)


def _tiles(scene: Scene) -> skia.Shader:
    width, height = _REPEAT[scene.pattern]
    size = (round(height * _TILE_SCALE), round(width * _TILE_SCALE), 4)
    pixels = np.empty(size, dtype=np.uint8)
    draw = skia.Surface(pixels).getCanvas()
    draw.clear(argb(scene.garment_rgb))
    draw.scale(_TILE_SCALE, _TILE_SCALE)
    _PATTERNS[scene.pattern](draw, scene)
    rng = random.Random(scene.jitter_seed)
    matrix = skia.Matrix()
    matrix.setTranslate(rng.random(), rng.random())
    matrix.preScale(1 / _TILE_SCALE, 1 / _TILE_SCALE)
    tile = skia.TileMode.kRepeat
    # Mipmaps: a tile is drawn much smaller than it is, and would otherwise be jagged.
    sampling = skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear)
    return skia.Image.fromarray(pixels).makeShader(tile, tile, sampling, matrix)


def _paint(rgb: Rgb, alpha: float = 1.0) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=argb(rgb, alpha))


def _stripes(draw: skia.Canvas, scene: Scene) -> None:
    draw.drawRect(skia.Rect(0, 0, 1, 0.13), _paint(scene.accent_rgb))


def _dots(draw: skia.Canvas, scene: Scene) -> None:
    paint = _paint(scene.accent_rgb)
    for x, y in ((0.1, 0.1), (0.3, 0.3)):
        draw.drawCircle(x, y, 0.075, paint)


def _checks(draw: skia.Canvas, scene: Scene) -> None:
    soft = _paint(scene.accent_rgb, 0.72)
    draw.drawRect(skia.Rect(0, 0, 1, 0.095), soft)
    draw.drawRect(skia.Rect(0, 0, 0.095, 1), soft)


_LEAF: Final[Rgb] = (70, 122, 78)
_PETALS: Final = ((0.0, -1.0), (0.95, -0.31), (0.59, 0.81), (-0.59, 0.81), (-0.95, -0.31))


def _flowers(draw: skia.Canvas, scene: Scene) -> None:
    petal = _paint(scene.accent_rgb)
    heart = _paint((240, 176, 44))
    # Green leaves do not show on green.
    red, green, blue = scene.garment_rgb
    leaf = _paint((238, 214, 120) if green > max(red, blue) else _LEAF)
    for x, y, tilt in ((0.25, 0.25, 0), (0.75, 0.2, 40), (0.5, 0.7, 15), (0.0, 0.72, 70)):
        for at in (x, x + 1.0) if x < 0.2 else (x,):
            for turn in (35, 215):
                path = ellipse((0.16, 0.0), (0.085, 0.045))
                matrix = skia.Matrix()
                matrix.setTranslate(at, y)
                matrix.preRotate(turn + tilt)
                path.transform(matrix)
                draw.drawPath(path, leaf)
            for dx, dy in _PETALS:
                draw.drawCircle(at + dx * 0.078, y + dy * 0.078, 0.066, petal)
            draw.drawCircle(at, y, 0.05, heart)


_PATTERNS: Final = {
    "striped": _stripes,
    "dotted": _dots,
    "checked": _checks,
    "floral": _flowers,
}
