"""Tops: t-shirt, tank top, shirt, sweater, hoodie and jacket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import skia

from training.pretraining.renderer.attributes import Rgb, mix
from training.pretraining.renderer.body import NECK, WAIST, Body
from training.pretraining.renderer.canvas import Canvas
from training.pretraining.renderer.fabric import Cloth
from training.pretraining.renderer.shapes import Point, blob, line, outline, polygon, ribbon
from training.pretraining.renderer.tailoring import (
    TopCut,
    buttons,
    collar_leaf,
    contour,
    crease,
    draw_sleeves,
    draw_trunk_panel,
    part_of,
    rib_band,
    stitch,
    trim,
)

CUTS: Final[dict[str, TopCut]] = {
    "t-shirt": TopCut(0.07, 0.7, 3.36, 0.37, 0.15, (0.27, 0.20), "hem"),
    "tank top": TopCut(0.04, 0.4, 3.30, 0.0, 0.0, (0.30, 0.52)),
    "shirt": TopCut(0.08, 0.55, 3.44, 0.97, 0.13, (0.20, 0.22), "band", tail=0.20),
    "sweater": TopCut(0.12, 0.75, 3.40, 0.98, 0.18, (0.22, 0.10), "rib"),
    "hoodie": TopCut(0.16, 0.9, 3.52, 0.98, 0.22, (0.26, 0.26), "rib"),
    "jacket": TopCut(0.09, 0.35, 3.64, 0.97, 0.14, (0.26, 0.30)),
}
#: What is worn under an open jacket and with skirts and trousers, tucked in.
TUCKED: Final = TopCut(0.02, 0.2, 3.0, 0.30, 0.08, (0.25, 0.16))

Detail = Callable[[Canvas, Body, Cloth], None]


def draw_top(canvas: Canvas, body: Body, cloth: Cloth, name: str, *, skin: Rgb | None,
             under: Cloth | None) -> None:  # fmt: skip
    """Draw a top with the arms in it.

    Args:
        canvas: what it is drawn on.
        body: who wears it, or the form in which it lies.
        cloth: what it is sewn from.
        name: one of `CUTS`.
        skin: the wearer's; None when nobody wears it.
        under: the cloth of what shows in an open jacket; None for its lining.
    """
    cut = CUTS[name]
    far, near = body.arms
    if body.profile:
        draw_sleeves(canvas, body, cloth, cut, skin=skin, over=None, which=(far,))
    if name == "hoodie" and body.view != "back":
        _hood_behind(canvas, body, cloth)
    path = draw_trunk_panel(canvas, body, cloth, cut)
    if name == "jacket" and body.view == "front":
        _opening(canvas, cloth, under)
    _DETAILS[name](canvas, body, cloth)
    arms = (near,) if body.profile else body.arms
    draw_sleeves(canvas, body, cloth, cut, skin=skin, over=path, which=arms)
    if name == "hoodie":
        _hood(canvas, body, cloth)


def draw_tucked(canvas: Canvas, body: Body, cloth: Cloth) -> skia.Path:
    """Draw the trunk of a plain top that is tucked in; its arms come later."""
    path = draw_trunk_panel(canvas, body, cloth, TUCKED)
    _neck_rib(canvas, body, cloth, TUCKED)
    return path


def _neck_rib(canvas: Canvas, body: Body, cloth: Cloth, cut: TopCut) -> None:
    half, depth = cut.neck
    top = NECK + 0.02 + (half - body.build.neck) * 0.3
    if body.profile:
        points: list[Point] = [(-0.19, NECK + 0.06), (0.0, NECK + 0.12), (0.13, NECK + 0.2)]
    elif body.view == "back":
        points = [(-half, top), (0.0, top + 0.09), (half, top)]
    else:
        points = [(-half, top), (-half * 0.7, top + depth * 0.72), (0.0, top + depth),
                  (half * 0.7, top + depth * 0.72), (half, top)]  # fmt: skip
    canvas.stroke(line(points), mix(cloth.colour, cloth.seam, 0.75), 1.7)


def _hem_stitch(canvas: Canvas, body: Body, cloth: Cloth, cut: TopCut) -> None:
    y = cut.hem - 0.09
    left, right = contour(body, y, -1, cut), contour(body, y, 1, cut)
    stitch(canvas, cloth, [(left, y), ((left + right) / 2, y + 0.05), (right, y)], 0.8, 0.6)


def _tee(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    _neck_rib(canvas, body, cloth, CUTS["t-shirt"])
    _hem_stitch(canvas, body, cloth, CUTS["t-shirt"])


def _tank(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    if not body.profile:
        _neck_rib(canvas, body, cloth, CUTS["tank top"])
    _hem_stitch(canvas, body, cloth, CUTS["tank top"])


def _shirt(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    cut = CUTS["shirt"]
    if body.view == "back":
        wide = body.build.shoulder * 0.86
        stitch(canvas, cloth, [(-wide, 1.74), (0.0, 1.80), (wide, 1.74)], 1.1)
        stitch(canvas, cloth, [(0.0, 1.80), (body.centre(3.5), 3.6)], 1.0, 0.6)
        trim(canvas, cloth, outline([(-0.25, 1.16), (0.0, 1.20), (0.25, 1.16)],
                                    [(0.31, 1.38), (0.0, 1.44), (-0.31, 1.38)]), 0.1)  # fmt: skip
        return
    if body.profile:
        stitch(canvas, cloth, [(0.16, 1.5), (body.right(2.1) + 0.02, 2.1),
                               (body.right(WAIST) + 0.04, WAIST)], 0.9, 0.6)  # fmt: skip
        collar_leaf(canvas, cloth, [(-0.2, 1.14), (0.02, 1.20), (0.17, 1.16), (0.24, 1.46),
                                    (0.05, 1.38), (-0.2, 1.32)])  # fmt: skip
        return
    placket = [(0.0, 1.52), (body.centre(2.3), 2.3), (body.centre(cut.hem), cut.hem + 0.18)]
    for side in (-1, 1):
        moved = [(x + side * 0.065, y) for x, y in placket]
        stitch(canvas, cloth, moved, 0.8, 0.55)
    heights = (1.72, 2.08, 2.44, 2.80, 3.16, 3.48)
    buttons(canvas, cloth, [(body.centre(y), y) for y in heights])
    wide = body.build.shoulder
    pocket = [(wide * 0.26, 1.98), (wide * 0.62, 1.96), (wide * 0.62, 2.26), (wide * 0.44, 2.36),
              (wide * 0.26, 2.28)]  # fmt: skip
    canvas.stroke(polygon(pocket), cloth.seam, 0.9, alpha=0.7)
    for side in (-1, 1):
        collar_leaf(canvas, cloth, [(0.0, 1.44), (side * 0.14, 1.16), (side * 0.27, 1.24),
                                    (side * 0.38, 1.50), (side * 0.17, 1.64)])  # fmt: skip


def _sweater(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    cut = CUTS["sweater"]
    rib_band(canvas, body, cloth, cut, 0.22)
    if body.profile:
        roll = outline([(-0.2, 1.06), (0.0, 1.12), (0.17, 1.12)],
                       [(0.2, 1.38), (0.0, 1.38), (-0.24, 1.30)])  # fmt: skip
    else:
        wide = body.build.neck + 0.07
        roll = outline([(-wide, 1.06), (0.0, 1.12), (wide, 1.06)],
                       [(wide + 0.06, 1.34), (0.0, 1.43), (-wide - 0.06, 1.34)])  # fmt: skip
    trim(canvas, cloth, roll, 0.10)
    _knit(canvas, body, cloth)


def _knit(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    """Broad ribs down the trunk."""
    low = CUTS["sweater"].hem - 0.24
    for index in range(-3, 4):
        share = index / 4
        ribs = [(body.centre(y) + share * body.half(y) * 1.05, y) for y in (1.9, 2.4, WAIST, low)]
        if abs(index) < 3 and not body.profile:
            ribs.insert(0, (share * body.build.shoulder * 0.8, 1.56 + 0.05 * abs(index)))
        stitch(canvas, cloth, ribs, 1.4, 0.30)


def _hoodie(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    cut = CUTS["hoodie"]
    rib_band(canvas, body, cloth, cut, 0.20)
    if body.view == "back":
        return
    if body.profile:
        x = contour(body, 3.0, 1, cut)
        stitch(canvas, cloth, [(x - 0.02, 2.62), (x - 0.22, 2.76), (x - 0.30, 3.2)], 1.1)
        return
    middle = body.centre(3.0)
    pocket: list[Point] = [(middle - 0.26, 2.66), (middle + 0.26, 2.66), (middle + 0.50, 3.0),
                           (middle + 0.50, 3.28), (middle - 0.50, 3.28),
                           (middle - 0.50, 3.0)]  # fmt: skip
    canvas.shade(polygon(pocket), cloth.fold, 0.12)
    canvas.stroke(polygon(pocket), cloth.seam, 1.1)


def _hood_behind(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    """The hood, which stands behind the neck."""
    if body.profile:
        hood = blob([(-0.08, 1.02), (-0.40, 0.98), (-0.60, 1.22), (-0.56, 1.58), (-0.30, 1.62),
                     (0.1, 1.5), (0.12, 1.2)])  # fmt: skip
    else:
        hood = blob([(0.0, 0.78), (0.34, 0.86), (0.50, 1.12), (0.48, 1.44), (0.0, 1.6),
                     (-0.48, 1.44), (-0.50, 1.12), (-0.34, 0.86)])  # fmt: skip
    trim(canvas, cloth, hood, 0.24)


def _hood(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    """What of the hood lies in front of the shoulders, or on the back."""
    if body.view == "back":
        hood = blob([(0.0, 1.06), (0.34, 1.10), (0.52, 1.38), (0.46, 1.82), (0.20, 2.14),
                     (0.0, 2.20), (-0.20, 2.14), (-0.46, 1.82), (-0.52, 1.38),
                     (-0.34, 1.10)])  # fmt: skip
        shadow = skia.Path(hood)
        shadow.offset(0.0, 0.08)
        canvas.shade(shadow, cloth.fold, 0.3, blur=0.03)
        canvas.fill(hood, cloth.fill, part_of(cloth), cloth.seam)
        canvas.model(hood, cloth.fold)
        stitch(canvas, cloth, [(0.0, 1.12), (0.0, 2.18)], 1.0, 0.6)
        crease(canvas, cloth, [(-0.34, 1.2), (-0.1, 1.34), (0.1, 1.34), (0.34, 1.2)], 0.10)
        return
    if body.profile:
        fold: list[Point] = [(-0.36, 1.10), (-0.08, 1.28), (0.14, 1.52)]
        path = ribbon(fold, [0.16, 0.20, 0.14])
        canvas.fill(path, cloth.fill, part_of(cloth), cloth.seam)
        return
    for side in (-1, 1):
        fold = [(side * 0.38, 1.06), (side * 0.32, 1.34), (0.0, 1.62)]
        path = ribbon(fold, [0.20, 0.24, 0.10])
        canvas.fill(path, cloth.fill, part_of(cloth), cloth.seam)
        canvas.model(path, cloth.fold)
        cord = line([(side * 0.10, 1.60), (side * 0.13, 1.84), (side * 0.11, 2.08)])
        canvas.stroke(cord, (246, 244, 238), 1.3)
        canvas.stroke(cord, cloth.seam, 0.4, alpha=0.5)


def _opening(canvas: Canvas, cloth: Cloth, under: Cloth | None) -> None:
    """The deep V of a jacket, with what is worn under it."""
    vee = outline([(-0.20, 1.34), (0.0, 1.40), (0.20, 1.34)], [(0.20, 1.34), (0.0, 2.64)],
                  [(0.0, 2.64), (-0.20, 1.34)])  # fmt: skip
    if under is None:
        trim(canvas, cloth, vee, 0.5)
        return
    canvas.fill(vee, under.fill, part_of(under))
    neck = [(-0.2, 1.35), (0.0, 1.42), (0.2, 1.35)]
    canvas.stroke(line(neck), under.seam, 1.2)


def _jacket(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    cut = CUTS["jacket"]
    if body.view == "back":
        tailored_back(canvas, body, cloth, cut.hem)
        return
    if body.profile:
        edge = [(0.2, 1.6), (body.right(2.2) - 0.08, 2.2), (body.right(3.0) - 0.02, 3.4)]
        stitch(canvas, cloth, edge, 0.9, 0.6)
        lapel_from_the_side(canvas, body, cloth)
        return
    stitch(canvas, cloth, [(body.centre(2.62), 2.62), (body.centre(3.2), 3.2),
                           (body.centre(3.6) + 0.12, 3.68)], 1.2)  # fmt: skip
    buttons(canvas, cloth, [(body.centre(2.78) - 0.02, 2.76), (body.centre(3.06) - 0.02, 3.04)],
            0.05)  # fmt: skip
    flap_pockets(canvas, body, cloth, 3.06, 0.30)
    for side in (-1, 1):
        collar_leaf(canvas, cloth, [(side * 0.20, 1.20), (side * 0.38, 1.30), (side * 0.44, 1.66),
                                    (side * 0.36, 1.72), (side * 0.42, 1.84), (0.02 * side, 2.66),
                                    (side * 0.16, 1.76)])  # fmt: skip


def flap_pockets(canvas: Canvas, body: Body, cloth: Cloth, y: float, out: float) -> None:
    """Two pockets with flaps, `out` heads from the middle."""
    for side in (-1, 1):
        x = body.centre(y) + side * out
        flap: list[Point] = [(x, y), (x + side * 0.30, y - 0.02), (x + side * 0.30, y + 0.12),
                             (x, y + 0.14)]  # fmt: skip
        canvas.shade(polygon(flap), cloth.fold, 0.18)
        canvas.stroke(polygon(flap), cloth.seam, 0.9, alpha=0.8)


def tailored_back(canvas: Canvas, body: Body, cloth: Cloth, hem: float) -> None:
    """Collar, centre seam and vent of a jacket or coat."""
    stitch(canvas, cloth, [(0.0, 1.4), (body.centre(2.4), 2.4), (body.centre(hem), hem)], 1.0, 0.7)
    x = body.centre(hem)
    vent: list[Point] = [(x, hem - 0.42), (x + 0.09, hem), (x - 0.03, hem + 0.04)]
    canvas.shade(polygon(vent), cloth.fold, 0.5)
    trim(canvas, cloth, outline([(-0.26, 1.14), (0.0, 1.18), (0.26, 1.14)],
                                [(0.38, 1.42), (0.0, 1.50), (-0.38, 1.42)]), 0.08)  # fmt: skip


def lapel_from_the_side(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    """Collar and lapel of a jacket or coat."""
    x = body.right(2.0)
    collar_leaf(canvas, cloth, [(-0.22, 1.12), (0.04, 1.22), (0.20, 1.52), (x + 0.03, 1.96),
                                (x - 0.12, 1.9), (0.04, 1.56), (-0.22, 1.36)])  # fmt: skip


_DETAILS: Final[dict[str, Detail]] = {
    "t-shirt": _tee,
    "tank top": _tank,
    "shirt": _shirt,
    "sweater": _sweater,
    "hoodie": _hoodie,
    "jacket": _jacket,
}
