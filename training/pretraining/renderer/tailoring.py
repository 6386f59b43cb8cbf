"""What all garments are sewn from: panels, sleeves, hems, folds, buttons, collars."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import skia

from training.pretraining.renderer.attributes import Rgb, luminance, mix
from training.pretraining.renderer.body import ARMPIT, BUST, HIPS, NECK, SHOULDER, WAIST, Body, Limb
from training.pretraining.renderer.canvas import Canvas, Part
from training.pretraining.renderer.fabric import Cloth
from training.pretraining.renderer.figure import arm_line, arm_shape, draw_arm, symmetric
from training.pretraining.renderer.shapes import Point, cut, ellipse, line, outline, ribbon

_PEARL: Final[Rgb] = (250, 248, 242)


@dataclass(frozen=True, slots=True)
class TopCut:
    """How the upper part of a garment is cut; lengths in heads.

    Attributes:
        ease: room around the body.
        boxy: 0 follows the waist, 1 falls straight.
        hem: height at which it ends.
        sleeve: share of the arm that it covers, 0 for none.
        sleeve_ease: room around the arm.
        neck: half the width and the depth of the neckline in front.
        cuff: how the sleeves end: "", "hem", "rib" or "band".
        tail: how much lower the hem is in the middle than at the sides.
    """

    ease: float
    boxy: float
    hem: float
    sleeve: float
    sleeve_ease: float
    neck: Point
    cuff: str = ""
    tail: float = 0.0


def part_of(cloth: Cloth) -> Part:
    """What shapes of a cloth belong to."""
    return Part.GARMENT if cloth.product else Part.PERSON


def panel(canvas: Canvas, cloth: Cloth, path: skia.Path, strength: float = 1.0) -> None:
    """A piece of cloth with its contour and shade."""
    canvas.fill(path, cloth.fill, part_of(cloth), cloth.seam)
    canvas.model(path, cloth.fold, strength)


def trim(canvas: Canvas, cloth: Cloth, path: skia.Path, share: float = 0.22) -> None:
    """A piece of plain, darker cloth of the same colour: a collar, a band, a lining."""
    light = luminance(cloth.colour) < 62
    fill = mix(cloth.colour, (150, 150, 160) if light else (20, 10, 30), share)
    canvas.fill(path, fill, part_of(cloth), cloth.seam)


def crease(canvas: Canvas, cloth: Cloth, points: Sequence[Point], width: float = 0.07,
           within: skia.Path | None = None) -> None:  # fmt: skip
    """A fold: a crescent of shade that runs out at both ends."""
    count = len(points)
    spread = [width * math.sin(math.pi * (index + 0.3) / count) for index in range(count)]
    dark = luminance(cloth.colour) < 62
    canvas.shade(ribbon(points, spread), (150, 150, 166) if dark else cloth.fold,
                 0.16 if dark else 0.20, within=within)  # fmt: skip


def stitch(canvas: Canvas, cloth: Cloth, points: Sequence[Point], width: float = 1.0,
           alpha: float = 0.85) -> None:  # fmt: skip
    """A seam."""
    canvas.stroke(line(points), cloth.seam, width, alpha=alpha)


def buttons(canvas: Canvas, cloth: Cloth, places: Sequence[Point], size: float = 0.045) -> None:
    """Buttons that stand out from the cloth."""
    fill = _PEARL if luminance(cloth.colour) < 170 else mix(cloth.colour, (60, 44, 40), 0.7)
    for place in places:
        canvas.fill(ellipse(place, (size, size)), fill, part_of(cloth))


def contour(body: Body, y: float, side: int, cut_: TopCut) -> float:
    """X of a top's side seam at a height: between the body's contour and a straight fall."""
    x = body.right(y) if side > 0 else body.left(y)
    if y > BUST:
        if body.profile:
            straight = body.right(BUST) - 0.04 if side > 0 else body.left(1.9) - 0.02
        else:
            widest = max(body.half(BUST), body.half(HIPS) if cut_.hem > HIPS - 0.2 else 0.0)
            straight = body.centre(y) + side * widest
        pushed = max(side * x, side * straight) * side
        x += (pushed - x) * cut_.boxy
    return x + side * cut_.ease * min(1.0, max(0.0, (y - 1.5) / 0.5))


def _hem_line(body: Body, cut_: TopCut) -> list[Point]:
    right, left = contour(body, cut_.hem, 1, cut_), contour(body, cut_.hem, -1, cut_)
    middle = (right + left) / 2
    if cut_.tail:
        low = cut_.hem + cut_.tail
        return [(right, cut_.hem), (middle + (right - middle) * 0.6, low - 0.04), (middle, low),
                (middle + (left - middle) * 0.6, low - 0.04), (left, cut_.hem)]  # fmt: skip
    return [(right, cut_.hem), (middle, cut_.hem + 0.05), (left, cut_.hem)]


def trunk_path(body: Body, cut_: TopCut) -> skia.Path:
    """The outline of the part of a top that covers the trunk."""
    heights = [y for y in (BUST, 2.32, WAIST, 3.04, HIPS) if y < cut_.hem - 0.12]
    if body.profile:
        return _trunk_from_the_side(body, cut_, heights)
    half, depth = cut_.neck
    depth = 0.08 if body.view == "back" else depth
    wide = body.build.shoulder
    top = NECK + 0.02 + (half - body.build.neck) * 0.3
    right: list[Point] = [(half, top), (wide * 0.70, SHOULDER - 0.07)]
    if cut_.sleeve:
        right += [(wide * 0.97, SHOULDER + 0.09), (contour(body, ARMPIT, 1, cut_), ARMPIT)]
    else:
        # Straps, and an armhole that shows the shoulder.
        right = [(half, top + 0.02), (half + 0.20, top + 0.08)]
        hole: list[Point] = [(half + 0.20, top + 0.08), (half + 0.22, 1.62),
                             (contour(body, ARMPIT, 1, cut_) - 0.02, ARMPIT + 0.08)]  # fmt: skip
    down = [(contour(body, y, 1, cut_), y) for y in [*heights, cut_.hem]]
    neckline: list[Point] = [(-half, top), (-half * 0.7, top + depth * 0.72), (0.0, top + depth),
                             (half * 0.7, top + depth * 0.72), (half, top)]  # fmt: skip
    sides = [right, down] if cut_.sleeve else [right, hole, down]
    if cut_.sleeve:
        sides = [[*right, *down]]
    others = [_mirror(body, side) for side in reversed(sides)]
    return outline(neckline, *sides, _hem_line(body, cut_), *others)


def _mirror(body: Body, side: list[Point]) -> list[Point]:
    """The other side, bent as the hips are."""
    flipped = symmetric(body, [point for point in side if point[1] > BUST])
    return flipped + [(-x, y) for x, y in reversed(side) if y <= BUST]


def _trunk_from_the_side(body: Body, cut_: TopCut, heights: list[float]) -> skia.Path:
    depth = min(cut_.neck[1], 0.3) * 0.6
    back: list[Point] = [(-0.19, NECK + 0.04), (-0.36, SHOULDER + 0.12)]
    back += [(contour(body, y, -1, cut_), y) for y in [*heights, cut_.hem]]
    front: list[Point] = [(0.13, NECK + 0.12 + depth), (0.24, SHOULDER + 0.18)]
    front += [(contour(body, y, 1, cut_), y) for y in [*heights, cut_.hem]]
    neckline: list[Point] = [(-0.19, NECK + 0.04), (0.0, NECK + 0.08), (0.13, NECK + 0.12 + depth)]
    return outline(neckline, front, _hem_line(body, cut_), back[::-1])


def draw_trunk_panel(canvas: Canvas, body: Body, cloth: Cloth, cut_: TopCut) -> skia.Path:
    """The trunk of a top with its folds; the path is what later shadows fall on."""
    path = trunk_path(body, cut_)
    if body.laid:
        trim(canvas, cloth, _inside(body, cut_), 0.34)
    panel(canvas, cloth, path)
    if cut_.hem > WAIST:
        _trunk_folds(canvas, body, cloth, path)
    return path


def _inside(body: Body, cut_: TopCut) -> skia.Path:
    """The back of a garment as it shows in the neckline when nobody wears it."""
    half, depth = cut_.neck
    top = NECK + 0.02 + (half - body.build.neck) * 0.3
    back: list[Point] = [(-half, top), (0.0, top + 0.10), (half, top)]
    front: list[Point] = [(half + 0.02, top + 0.1), (half * 0.7, top + depth * 0.8),
                          (0.0, top + depth + 0.04), (-half * 0.7, top + depth * 0.8),
                          (-half - 0.02, top + 0.1)]  # fmt: skip
    return outline(back, front)


def _trunk_folds(canvas: Canvas, body: Body, cloth: Cloth, path: skia.Path) -> None:
    rng = random.Random(cloth.seed ^ 0x5EA)
    for side in (-1,) if body.profile else (-1, 1):
        x = body.right(WAIST) if side > 0 else body.left(WAIST)
        y = 2.52 + rng.uniform(-0.08, 0.12)
        reach = 0.30 + rng.uniform(0.0, 0.12)
        crease(canvas, cloth, [(x + side * 0.1, y), (x - side * reach * 0.5, y + 0.10),
                               (x - side * reach, y + 0.26)], 0.11, path)  # fmt: skip
        if rng.random() < 0.4:
            crease(canvas, cloth, [(x + side * 0.08, y + 0.24), (x - side * reach * 0.5, y + 0.28),
                                   (x - side * reach, y + 0.46)], 0.06, path)  # fmt: skip


def draw_sleeve(canvas: Canvas, body: Body, arm: Limb, cloth: Cloth, cut_: TopCut) -> None:
    """A sleeve over an arm."""
    points, widths = arm_line(body, arm)
    eased = [width + cut_.sleeve_ease * (0.3 if index == 0 else 1.0)
             for index, width in enumerate(widths)]  # fmt: skip
    if cut_.sleeve > 0.8:
        eased[-1] = widths[-1] + cut_.sleeve_ease * 0.75
    points, eased = cut(points, eased, min(cut_.sleeve, 1.0))
    path, _ = arm_shape(body, arm, points, eased, cut_.sleeve_ease)
    panel(canvas, cloth, path, 0.8)
    if cut_.sleeve > 0.8:
        (x, y), side = arm.joints[1], arm.side
        crease(canvas, cloth, [(x + side * 0.12, y - 0.10), (x, y), (x - side * 0.12, y + 0.02)],
               0.07, path)  # fmt: skip
        crease(canvas, cloth, [(x + side * 0.11, y + 0.06), (x, y + 0.12),
                               (x - side * 0.1, y + 0.2)],
               0.05, path)  # fmt: skip
    if cut_.cuff:
        _cuff(canvas, cloth, points, eased, cut_.cuff)


def _cuff(canvas: Canvas, cloth: Cloth, points: list[Point], widths: list[float],
          kind: str) -> None:  # fmt: skip
    total = sum(math.dist(a, b) for a, b in pairwise(points))
    size = {"hem": 0.07, "rib": 0.18, "band": 0.16}[kind]
    ring, spread = cut(points, widths, 1.0, 1.0 - size / total)
    if kind == "hem":
        (x, y), (x1, y1) = ring[0], ring[-1]
        length = math.dist(ring[0], ring[-1]) or 1.0
        nx, ny = -(y1 - y) / length * spread[0] / 2, (x1 - x) / length * spread[0] / 2
        stitch(canvas, cloth, [(x + nx, y + ny), (x - nx, y - ny)], 0.8, 0.6)
        return
    trim(canvas, cloth, ribbon(ring, [width * 0.94 for width in spread]), 0.16)


def draw_sleeves(canvas: Canvas, body: Body, cloth: Cloth, cut_: TopCut, *, skin: Rgb | None,
                 over: skia.Path | None, which: Sequence[Limb] = ()) -> None:  # fmt: skip
    """Arms, bare where the sleeves end; the arms' shadow falls on `over`."""
    for arm in which or body.arms:
        points, widths = arm_line(body, arm)
        if over is not None and not body.laid:
            wide = [w + (cut_.sleeve_ease if cut_.sleeve > 0.8 else 0.0) for w in widths]
            shadow, _ = arm_shape(body, arm, points, wide)
            shadow.offset(-canvas.light * 0.07, 0.05)
            canvas.shade(shadow, (30, 14, 50), 0.20, within=over)
        if skin is not None:
            draw_arm(canvas, body, arm, skin)
        if cut_.sleeve:
            draw_sleeve(canvas, body, arm, cloth, cut_)


def rib_band(canvas: Canvas, body: Body, cloth: Cloth, cut_: TopCut, height: float) -> None:
    """A ribbed band along the hem."""
    top = cut_.hem - height
    right, left = contour(body, cut_.hem, 1, cut_), contour(body, cut_.hem, -1, cut_)
    upper = [(contour(body, top, -1, cut_), top), ((right + left) / 2, top + 0.04),
             (contour(body, top, 1, cut_), top)]  # fmt: skip
    lower = [(right - 0.03, cut_.hem + 0.01), ((right + left) / 2, cut_.hem + 0.06),
             (left + 0.03, cut_.hem + 0.01)]  # fmt: skip
    trim(canvas, cloth, outline(upper, lower), 0.16)
    count = 9
    for index in range(1, count):
        x = left + (right - left) * index / count
        stitch(canvas, cloth, [(x, top + 0.05), (x, cut_.hem)], 0.8, 0.4)


def collar_leaf(canvas: Canvas, cloth: Cloth, points: Sequence[Point]) -> None:
    """One leaf of a collar or lapel, lighter than the cloth under it, with a shadow."""
    moved = [(x, y + 0.05) for x, y in points]
    path = skia.Path()
    path.addPoly([skia.Point(*point) for point in moved], True)
    canvas.shade(path, cloth.fold, 0.35)
    leaf = skia.Path()
    leaf.addPoly([skia.Point(*point) for point in points], True)
    canvas.fill(leaf, mix(cloth.colour, (255, 255, 255), 0.14), part_of(cloth), cloth.seam)
