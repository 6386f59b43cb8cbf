"""Garments: drawn on any skeleton, so that the same code dresses a person and lays flat."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL import Image

from training.pretraining.renderer.attributes import Rgb, Scene, luminance, mix
from training.pretraining.renderer.canvas import Canvas, Curve, polygon, ribbon, smooth
from training.pretraining.renderer.fabric import fold, seam, weave
from training.pretraining.renderer.figure import (
    Arm,
    Skeleton,
    arm_outline,
    draw_arm,
    leg_outline,
    torso,
)


@dataclass(frozen=True, slots=True)
class Cloth:
    """A fabric cut for one canvas, with the colours of its seams and folds."""

    texture: Image.Image
    colour: Rgb
    seam: Rgb
    fold: Rgb
    seed: int

    @classmethod
    def of_scene(cls, canvas: Canvas, scene: Scene) -> Cloth:
        """The fabric of the scene's garment."""
        texture = weave(
            canvas.image.size,
            canvas.scale,
            colour=scene.garment_rgb,
            accent=scene.accent_rgb,
            pattern=scene.pattern,
            seed=scene.jitter_seed,
        )
        rgb = scene.garment_rgb
        return cls(texture, rgb, seam(rgb), fold(rgb), scene.jitter_seed)

    @classmethod
    def plain(cls, canvas: Canvas, rgb: Rgb) -> Cloth:
        """A fabric without a pattern."""
        return cls(Image.new("RGB", canvas.image.size, rgb), rgb, seam(rgb), fold(rgb), 0)


@dataclass(frozen=True, slots=True)
class TopCut:
    """How a top is cut: lengths in heads, `sleeve` as a share of the arm (0 = sleeveless)."""

    ease: float
    hem: float
    sleeve: float
    sleeve_ease: float
    detail: Callable[[Canvas, Skeleton, Cloth], None]


def _neckline(canvas: Canvas, cloth: Cloth, depth: float, width: float = 0.36) -> None:
    rim = smooth([(-width, 1.47), (0, 1.47 + depth), (width, 1.47)], closed=False)
    canvas.line(rim, cloth.seam, 1.3)


def _hem(canvas: Canvas, skeleton: Skeleton, cloth: Cloth, y: float, ease: float) -> None:
    half, shift = skeleton.hips + ease - 0.05, skeleton.shift
    canvas.line([(-half + shift, y), (half + shift, y)], cloth.seam, 0.8)


def _folds(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    rng = random.Random(cloth.seed ^ 0x5EA)
    for side in (-1, 1):
        y = rng.uniform(2.5, 2.9)
        x = side * (skeleton.waist - 0.02)
        canvas.line(
            smooth([(x, y), (x - side * 0.16, y + 0.2), (x - side * 0.22, y + 0.5)], closed=False),
            cloth.fold,
            1.2,
        )


def _crew(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    _neckline(canvas, cloth, 0.3)
    _hem(canvas, skeleton, cloth, 4.12, 0.1)


def _tucked(canvas: Canvas, _skeleton: Skeleton, cloth: Cloth) -> None:
    _neckline(canvas, cloth, 0.3)


def _vest(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    _hem(canvas, skeleton, cloth, 3.98, 0.04)


def _buttoned(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    light = mix(cloth.colour, (255, 255, 255), 0.35)
    for side in (-1, 1):
        collar = [(0.0, 1.72), (side * 0.18, 1.30), (side * 0.46, 1.46), (side * 0.34, 1.86)]
        canvas.textured(polygon(collar), Image.new("RGB", canvas.image.size, light),
                        cloth.seam)  # fmt: skip
    canvas.line([(0, 1.72), (skeleton.shift, 4.3)], cloth.seam, 1.0)
    for y in (2.0, 2.5, 3.0, 3.5, 4.0):
        shift = skeleton.shift * max(0.0, (y - 2) / 2)
        canvas.ellipse((shift + 0.07, y), (0.06, 0.06), (250, 250, 248), cloth.seam)


def _ribbed(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    rib = mix(cloth.colour, cloth.seam, 0.45)
    neck = ribbon([(-0.30, 1.34), (0, 1.44), (0.30, 1.34)], [0.24, 0.26, 0.24])
    canvas.textured(neck, Image.new("RGB", canvas.image.size, cloth.colour), cloth.seam)
    half = skeleton.hips + 0.1
    for index in range(-5, 6):
        x = half * index / 5.6 + skeleton.shift
        canvas.line([(x, 3.98), (x, 4.22)], rib, 0.9)
    canvas.line([(-half + skeleton.shift, 3.96), (half + skeleton.shift, 3.96)], cloth.seam, 1.0)


def _hooded(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    hood = [(-0.58, 1.62), (-0.56, 1.22), (-0.34, 1.10), (-0.22, 1.34), (0, 1.56), (0.22, 1.34),
            (0.34, 1.10), (0.56, 1.22), (0.58, 1.62), (0.3, 1.86), (0, 1.98),
            (-0.3, 1.86)]  # fmt: skip
    canvas.textured(smooth(hood), cloth.texture, cloth.seam)
    cord = (250, 250, 248) if luminance(cloth.colour) < 190 else (70, 70, 78)
    for side in (-1, 1):
        canvas.line([(side * 0.16, 1.78), (side * 0.19, 2.42)], cord, 1.1)
    shift = skeleton.shift * 0.8
    pocket = [(-0.34, 3.2), (0.34, 3.2), (0.52, 3.62), (0.5, 3.92), (-0.5, 3.92), (-0.52, 3.62)]
    canvas.textured(polygon([(x + shift, y) for x, y in pocket]), cloth.texture, cloth.seam)
    _hem(canvas, skeleton, cloth, 4.06, 0.14)


def _open_front(bottom: float, gap: float, shift: float) -> Curve:
    return polygon(
        [(-0.26, 1.44), (0.26, 1.44), (gap + shift * 0.5, 2.7), (gap + shift, bottom),
         (-gap + shift, bottom), (-gap + shift * 0.5, 2.7)]
    )  # fmt: skip


def _lapels(canvas: Canvas, cloth: Cloth, low: float) -> None:
    light = mix(cloth.colour, cloth.seam, 0.22)
    for side in (-1, 1):
        lapel = [(side * 0.24, 1.44), (side * 0.50, 1.50), (side * 0.56, 2.02), (side * 0.16, low)]
        canvas.textured(polygon(lapel), Image.new("RGB", canvas.image.size, light),
                        cloth.seam)  # fmt: skip


def _zipped(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    inner = (246, 246, 244) if luminance(cloth.colour) < 200 else (74, 76, 84)
    canvas.polygon(_open_front(4.0, 0.17, skeleton.shift), inner, cloth.seam)
    _lapels(canvas, cloth, 2.5)
    shift = skeleton.shift * 0.8
    for side in (-1, 1):
        canvas.line([(side * 0.42 + shift, 3.2), (side * 0.52 + shift, 3.55)], cloth.seam, 1.2)


def _buttoned_coat(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    canvas.line([(0.06, 2.5), (0.06 + skeleton.shift, 5.9)], cloth.seam, 1.2)
    inner = (246, 246, 244) if luminance(cloth.colour) < 200 else (74, 76, 84)
    canvas.polygon(polygon([(-0.24, 1.42), (0.24, 1.42), (0.03, 2.45)]), inner, cloth.seam)
    _lapels(canvas, cloth, 2.5)
    button = seam(cloth.colour)
    for y in (2.75, 3.3, 3.85):
        for side in (-1, 1):
            canvas.ellipse((side * 0.2 + skeleton.shift, y), (0.065, 0.065), button)
    belt = skeleton.waist + 0.16
    canvas.line([(-belt, 3.08), (belt, 3.08)], cloth.seam, 1.0)
    for side in (-1, 1):
        canvas.line([(side * 0.42, 4.1), (side * 0.72, 4.0)], cloth.seam, 1.4)


#: The t-shirt under a garment of the legs: its hem disappears in the waistband.
TUCKED: Final = "tucked t-shirt"

TOPS: Final[dict[str, TopCut]] = {
    "t-shirt": TopCut(0.10, 4.2, 0.42, 0.24, _crew),
    "tank top": TopCut(0.10, 4.1, 0.0, 0.0, _vest),
    "shirt": TopCut(0.10, 4.35, 0.97, 0.14, _buttoned),
    "sweater": TopCut(0.14, 4.25, 0.97, 0.22, _ribbed),
    "hoodie": TopCut(0.20, 4.25, 0.97, 0.26, _hooded),
    "jacket": TopCut(0.18, 4.1, 0.97, 0.22, _zipped),
    TUCKED: TopCut(0.04, 3.3, 0.42, 0.20, _tucked),
}


def _sleeveless(skeleton: Skeleton, ease: float, hem: float) -> Curve:
    """The trunk of a vest: straps over the shoulders and a low neck."""
    chest, waist, hips, shift = skeleton.chest, skeleton.waist, skeleton.hips, skeleton.shift
    right = [(0.26, 1.95), (0.40, 1.50), (0.60, 1.50), (chest - 0.08, 2.05), (chest + ease, 2.3),
             (waist + ease + shift / 2, 3.05), (hips + ease + shift, 3.9),
             (hips + ease + shift, hem)]  # fmt: skip
    left = [(-0.26, 1.95), (-0.40, 1.50), (-0.60, 1.50), (-chest + 0.08, 2.05),
            (-chest - ease, 2.3), (-waist - ease + shift / 2, 3.05), (-hips - ease + shift, 3.9),
            (-hips - ease + shift, hem)]  # fmt: skip
    return smooth([(0.0, 2.12), *right, *left[::-1]])


def _sleeve(canvas: Canvas, skeleton: Skeleton, arm: Arm, cloth: Cloth, cut: TopCut) -> None:
    outline = arm_outline(skeleton, arm, share=cut.sleeve, ease=cut.sleeve_ease)
    canvas.textured(outline, cloth.texture, cloth.seam)
    if cut.sleeve > 0.9:
        (x0, y0), (x1, y1) = arm.elbow, arm.wrist
        at = (x0 + (x1 - x0) * 0.84, y0 + (y1 - y0) * 0.84)
        nx, ny = -(y1 - y0), x1 - x0
        size = max((nx * nx + ny * ny) ** 0.5, 1e-6)
        reach = 0.5 * (0.22 + cut.sleeve_ease)
        nx, ny = nx / size * reach, ny / size * reach
        canvas.line([(at[0] - nx, at[1] - ny), (at[0] + nx, at[1] + ny)], cloth.seam, 0.8)


def draw_top(canvas: Canvas, skeleton: Skeleton, cloth: Cloth, name: str, skin: Rgb | None) -> None:
    """Draw a top with the arms in it; without `skin` nobody wears it."""
    cut = TOPS[name]
    draw_trunk_of(canvas, skeleton, cloth, name, skin)
    draw_arms(canvas, skeleton, cloth, cut, skin)
    cut.detail(canvas, skeleton, cloth)


def draw_trunk_of(
    canvas: Canvas, skeleton: Skeleton, cloth: Cloth, name: str, skin: Rgb | None
) -> None:
    """Draw the part of a top that covers the trunk."""
    cut = TOPS[name]
    if cut.sleeve == 0.0:
        trunk = _sleeveless(skeleton, cut.ease, cut.hem)
    else:
        trunk = torso(skeleton, cut.ease, 1.45, cut.hem)
    canvas.textured(trunk, cloth.texture, cloth.seam)
    if name in {"t-shirt", TUCKED}:
        inner = skin if skin is not None else mix(cloth.colour, cloth.seam, 0.6)
        canvas.polygon(smooth([(-0.33, 1.44), (0, 1.36), (0.33, 1.44), (0, 1.74)]), inner)
    _folds(canvas, skeleton, cloth)


def draw_arms(
    canvas: Canvas, skeleton: Skeleton, cloth: Cloth, cut: TopCut, skin: Rgb | None
) -> None:
    """Draw the arms, bare where the sleeves of the cut end."""
    for arm in skeleton.arms:
        if skin is not None:
            draw_arm(canvas, skeleton, arm, skin)
        if cut.sleeve > 0.0:
            _sleeve(canvas, skeleton, arm, cloth, cut)


def draw_coat(canvas: Canvas, skeleton: Skeleton, cloth: Cloth, skin: Rgb | None) -> None:
    """A knee-length double-breasted coat."""
    chest, waist, hips, shift = skeleton.chest, skeleton.waist, skeleton.hips, skeleton.shift
    right = [(skeleton.shoulder * 0.6, 1.45), (skeleton.shoulder + 0.08, 1.64),
             (chest + 0.2, 2.2), (waist + 0.2 + shift / 2, 3.05), (hips + 0.24 + shift, 4.0),
             (hips + 0.36 + shift, 6.0)]  # fmt: skip
    left = [(-x + (0 if y < 3 else shift if y < 3.5 else 2 * shift), y) for x, y in right]
    canvas.textured(smooth([*right, (shift, 6.06), *left[::-1]]), cloth.texture, cloth.seam)
    cut = TopCut(0.2, 6.0, 0.97, 0.24, _buttoned_coat)
    draw_arms(canvas, skeleton, cloth, cut, skin)
    cut.detail(canvas, skeleton, cloth)


def draw_dress(canvas: Canvas, skeleton: Skeleton, cloth: Cloth, skin: Rgb | None) -> None:
    """A sleeveless dress with a waist seam and a flared skirt."""
    chest, waist, shift = skeleton.chest, skeleton.waist, skeleton.shift
    skirt = polygon(
        [(-waist - 0.04, 3.0), (waist + 0.04, 3.0), (1.2 + shift, 5.45), (0.5 + shift, 5.58),
         (-0.5 + shift, 5.58), (-1.2 + shift, 5.45)]
    )  # fmt: skip
    canvas.textured(skirt, cloth.texture, cloth.seam)
    for x in (-0.62, -0.2, 0.24, 0.66):
        canvas.line([(x * 0.62, 3.4), (x * 1.05 + shift, 5.4)], cloth.fold, 1.2)
    right = [(0.28, 1.9), (0.40, 1.5), (0.62, 1.52), (chest - 0.06, 2.05), (chest + 0.03, 2.3),
             (waist + 0.04, 3.06)]  # fmt: skip
    bodice = smooth([(0.0, 2.04), *right, *[(-x, y) for x, y in right[::-1]]])
    canvas.textured(bodice, cloth.texture, cloth.seam)
    canvas.line([(-waist, 3.04), (waist, 3.04)], cloth.seam, 1.6)
    if skin is not None:
        for arm in skeleton.arms:
            draw_arm(canvas, skeleton, arm, skin)


def _waistband(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    half, shift = skeleton.waist + 0.07, skeleton.shift * 0.6
    band = polygon([(-half + shift, 3.1), (half + shift, 3.1), (half + 0.05 + shift, 3.36),
                           (-half - 0.05 + shift, 3.36)])  # fmt: skip
    canvas.textured(band, cloth.texture, cloth.seam)


def draw_skirt(canvas: Canvas, skeleton: Skeleton, cloth: Cloth) -> None:
    """A knee-length A-line skirt with pleats."""
    waist, shift = skeleton.waist + 0.07, skeleton.shift
    outline = polygon(
        [(-waist + shift / 2, 3.12), (waist + shift / 2, 3.12), (1.12 + shift, 5.3),
         (0.5 + shift, 5.42), (-0.5 + shift, 5.42), (-1.12 + shift, 5.3)]
    )  # fmt: skip
    canvas.textured(outline, cloth.texture, cloth.seam)
    for x in (-0.7, -0.36, 0.0, 0.36, 0.7):
        canvas.line([(x * 0.7 + shift / 2, 3.5), (x * 1.1 + shift, 5.25)], cloth.fold, 1.4)
    _waistband(canvas, skeleton, cloth)


#: Widths at hip, knee and ankle, share of the leg, of everything with two legs.
LEGWEAR: Final[dict[str, tuple[tuple[float, float, float], float]]] = {
    "jeans": ((0.82, 0.54, 0.40), 0.97),
    "trousers": ((0.86, 0.84, 0.86), 0.99),
    "shorts": ((0.84, 0.78, 0.76), 0.34),
}


def draw_legwear(canvas: Canvas, skeleton: Skeleton, cloth: Cloth, name: str) -> None:
    """Jeans, trousers or shorts."""
    widths, share = LEGWEAR[name]
    hips, waist, shift = skeleton.hips + 0.06, skeleton.waist + 0.07, skeleton.shift
    for leg in skeleton.legs:
        canvas.textured(leg_outline(leg, widths, share=share), cloth.texture, cloth.seam)
    right = [(waist + shift / 2, 3.14), (hips + shift, 3.7), (hips - 0.02 + shift, 4.15),
             (hips * 0.72 + shift, 4.46)]  # fmt: skip
    left = [(-waist + shift / 2, 3.14), (-hips + shift, 3.7), (-hips + 0.02 + shift, 4.15),
            (-hips * 0.72 + shift, 4.46)]  # fmt: skip
    canvas.textured(smooth([*right, (shift, 4.5), *left[::-1]]), cloth.texture)
    for edge in (right, left):
        canvas.line(smooth(edge[:3], closed=False), cloth.seam, 1.0)
    canvas.line([(shift * 0.6, 3.3), (shift, 4.46)], cloth.seam, 1.1)
    if name == "jeans":
        thread = (216, 160, 72) if cloth.colour[0] < 200 else (150, 96, 40)
        for side in (-1, 1):
            pocket = [(0.28, 3.4), (0.4, 3.68), (0.64, 3.74)]
            curve = smooth([(side * x + shift, y) for x, y in pocket], closed=False)
            canvas.line(curve, thread, 1.0)
        canvas.line([(shift + 0.08, 3.4), (shift + 0.08, 3.9)], thread, 0.8)
        for leg in skeleton.legs:
            x, y = leg.ankle
            canvas.line([(x - 0.19, y - 0.28), (x + 0.19, y - 0.28)], thread, 0.8)
    elif name == "trousers":
        for leg in skeleton.legs:
            canvas.line([(leg.hip[0], 4.3), leg.knee, (leg.ankle[0], 7.3)], cloth.fold, 1.2)
    _waistband(canvas, skeleton, cloth)


def draw_garment(
    canvas: Canvas, skeleton: Skeleton, cloth: Cloth, name: str, skin: Rgb | None = None
) -> None:
    """Draw any garment; `skin` is the wearer's, or None when it lies flat."""
    if name in TOPS:
        draw_top(canvas, skeleton, cloth, name, skin)
    elif name == "coat":
        draw_coat(canvas, skeleton, cloth, skin)
    elif name == "dress":
        draw_dress(canvas, skeleton, cloth, skin)
    elif name == "skirt":
        draw_skirt(canvas, skeleton, cloth)
    else:
        draw_legwear(canvas, skeleton, cloth, name)
