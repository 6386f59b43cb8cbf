"""What is worn below the waist: jeans, trousers, shorts and skirt."""

from __future__ import annotations

from typing import Final

import skia

from training.pretraining.renderer.attributes import Rgb, luminance, mix
from training.pretraining.renderer.body import CROTCH, HIPS, Body, Limb
from training.pretraining.renderer.canvas import Canvas
from training.pretraining.renderer.fabric import Cloth
from training.pretraining.renderer.figure import leg_line
from training.pretraining.renderer.shapes import (
    Point,
    crossing,
    cut,
    joined,
    line,
    outline,
    polygon,
    ribbon,
    sides,
    towards,
)
from training.pretraining.renderer.tailoring import buttons, crease, panel, part_of, stitch, trim

#: Height of the waistband's upper edge.
RISE: Final = 2.80
#: Room at hip, thigh, knee, calf, shin and ankle, and the share of the leg that is covered.
LEGWEAR: Final[dict[str, tuple[tuple[float, ...], float]]] = {
    "jeans": ((0.08, 0.06, 0.08, 0.09, 0.15, 0.18), 0.99),
    "trousers": ((0.10, 0.20, 0.36, 0.42, 0.60, 0.70), 1.0),
    "shorts": ((0.12, 0.24, 0.40, 0.40, 0.40, 0.40), 0.34),
    "jumpsuit": ((0.10, 0.18, 0.30, 0.34, 0.46, 0.54), 0.97),
    # What completes an outfit: narrow, cropped, without details.
    "plain": ((0.04, 0.03, 0.04, 0.04, 0.07, 0.09), 0.90),
}


def _leg_path(body: Body, leg: Limb, name: str) -> skia.Path:
    room, share = LEGWEAR[name]
    points, widths = leg_line(body, leg)
    eased = [width + more for width, more in zip(widths, room, strict=True)]
    return ribbon(*cut(points, eased, share))


def _pelvis(body: Body) -> skia.Path:
    """From the waistband to where the legs part."""
    right: list[Point] = [
        (body.right(RISE) + 0.03, RISE),
        (body.right(3.1) + 0.04, 3.1),
        (body.right(HIPS) + 0.05, HIPS),
        (body.right(CROTCH) + 0.05, CROTCH),
    ]
    left: list[Point] = [(body.left(CROTCH) - 0.05, CROTCH), (body.left(HIPS) - 0.05, HIPS),
                         (body.left(3.1) - 0.04, 3.1), (body.left(RISE) - 0.03, RISE)]  # fmt: skip
    x = body.centre(CROTCH)
    fork: list[Point] = [(right[-1][0] - 0.06, CROTCH + 0.14), (left[0][0] + 0.06, CROTCH + 0.14)]
    if not body.profile:
        # The legs part below a narrow arch, not at a beam between them.
        inner = max(0.04, body.half(CROTCH) - body.build.leg) + 0.10
        fork = [(x + inner, CROTCH + 0.62), (x + 0.02, CROTCH + 0.16), (x - 0.02, CROTCH + 0.16),
                (x - inner, CROTCH + 0.62)]  # fmt: skip
    return outline(right, fork, left)


def draw_legwear(canvas: Canvas, body: Body, cloth: Cloth, name: str) -> None:
    """Anything with two legs: one of `LEGWEAR`."""
    first, second = (_leg_path(body, leg, name) for leg in body.legs)
    if body.profile:
        panel(canvas, cloth, first)
        canvas.shade(first, cloth.fold, 0.30)
    # One outline, so that no seam shows where leg and hips meet.
    whole = joined(second, _pelvis(body))
    if not body.profile:
        whole = joined(whole, first)
    panel(canvas, cloth, whole, 0.8)
    if not body.profile:
        crossed = crossing(first, second)
        below = skia.Path().addRect(skia.Rect(-3, CROTCH + 0.3, 3, 8))
        canvas.stroke(crossing(crossed, below), cloth.seam, 0.8, alpha=0.5)
        for leg, path in zip(body.legs, (first, second), strict=True):
            _leg_shade(canvas, body, cloth, leg, path)
        x = body.centre(CROTCH)
        stitch(canvas, cloth, [(body.centre(RISE + 0.2), RISE + 0.2), (x, CROTCH + 0.12)], 1.0, 0.8)
        for side in (-1, 1):
            crease(canvas, cloth, [(x + side * 0.02, CROTCH + 0.06),
                                   (x + side * 0.16, CROTCH - 0.02),
                                   (x + side * 0.34, CROTCH - 0.12)], 0.07)  # fmt: skip
    _knee_folds(canvas, body, cloth, name)
    if name in _DETAILS:
        _DETAILS[name](canvas, body, cloth)
    if name not in {"plain", "jumpsuit"}:
        waistband(canvas, body, cloth)


def _leg_shade(canvas: Canvas, body: Body, cloth: Cloth, leg: Limb, path: skia.Path) -> None:
    """The inner side of each leg lies in the shade."""
    points, widths = leg_line(body, leg)
    inner = sides(points[1:], [width * 0.8 for width in widths[1:]])[0 if leg.side > 0 else 1]
    canvas.shade(ribbon(inner, [0.06, 0.16, 0.16, 0.14, 0.10]), cloth.fold, 0.18, within=path)


def _knee_folds(canvas: Canvas, body: Body, cloth: Cloth, name: str) -> None:
    if name == "shorts":
        return
    for leg in body.legs:
        (x, y), side = leg.joints[1], leg.side
        reach = 0.14 if name in {"jeans", "plain"} else 0.2
        crease(canvas, cloth, [(x - side * reach, y - 0.04), (x, y + 0.03), (x + side * reach * 0.6,
                               y + 0.0)], 0.05)  # fmt: skip


def waistband(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    """The band with its button and loops."""
    top, low = RISE, RISE + 0.17
    band = outline([(body.left(top) - 0.04, top), (body.centre(top), top + 0.03),
                    (body.right(top) + 0.04, top)],
                   [(body.right(low) + 0.05, low), (body.centre(low), low + 0.03),
                    (body.left(low) - 0.05, low)])  # fmt: skip
    trim(canvas, cloth, band, 0.14)
    if body.view == "front":
        buttons(canvas, cloth, [(body.centre(top), top + 0.11)], 0.05)


def _thread(cloth: Cloth) -> Rgb:
    if luminance(cloth.colour) > 150 or cloth.colour[0] > 170:
        return mix(cloth.colour, (110, 60, 20), 0.7)
    return (232, 172, 84)


def _jeans(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    thread = _thread(cloth)

    def sewn(points: list[Point], width: float = 1.0) -> None:
        canvas.stroke(line(points), thread, width)

    if body.profile:
        sewn([(body.centre(3.0), 3.0), (body.centre(HIPS), HIPS), body.legs[1].joints[1],
              (body.legs[1].joints[2][0], 6.4)], 0.9)  # fmt: skip
        sewn([(0.16, 2.99), (0.12, 3.2), (0.26, 3.28)])
        x = body.left(3.3) + 0.06
        sewn([(x, 3.12), (x + 0.2, 3.1), (x + 0.2, 3.42)])
    elif body.view == "back":
        for side in (-1, 1):
            x = body.centre(3.3) + side * 0.11
            pocket = [(x, 3.14), (x + side * 0.34, 3.10), (x + side * 0.34, 3.42),
                      (x + side * 0.17, 3.54), (x, 3.44)]  # fmt: skip
            canvas.stroke(polygon(pocket), thread, 1.2)
            sewn([(body.centre(3.0), 3.10), (x + side * 0.46, 3.02)], 0.9)
    else:
        x = body.centre(3.2)
        for side in (-1, 1):
            edge = body.right(3.3) if side > 0 else body.left(3.3)
            sewn(
                [(x + side * 0.26, 2.98), (x + side * 0.32, 3.16), (edge - side * 0.02, 3.26)], 1.2
            )
        sewn([(x + 0.10, 2.98), (x + 0.10, 3.34), (x + 0.01, 3.46)])
    _turn_ups(canvas, body, cloth)


def _turn_ups(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    """Rolled-up hems, which show the paler inside."""
    room, share = LEGWEAR["jeans"]
    pale = mix(cloth.colour, (255, 255, 255), 0.42)
    for leg in body.legs:
        points, widths = leg_line(body, leg)
        eased = [width + more for width, more in zip(widths, room, strict=True)]
        ring, spread = cut(points, eased, share, share - 0.065)
        path = ribbon(ring, [width + 0.03 for width in spread])
        canvas.fill(path, pale, part_of(cloth), cloth.seam)


def _trousers(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    for leg in body.legs[1:] if body.profile else body.legs:
        hip, knee, ankle = leg.joints
        start = towards(hip, knee, -0.12)
        stitch(canvas, cloth, [start, towards(hip, knee, 0.5), knee, (ankle[0], ankle[1] - 0.06)],
               1.0, 0.7)  # fmt: skip
    if body.view == "front":
        for side in (-1, 1):
            edge = body.right(3.3) if side > 0 else body.left(3.3)
            stitch(canvas, cloth, [(edge - side * 0.16, 2.98), (edge + side * 0.0, 3.34)], 1.1)
    elif body.view == "back":
        for side in (-1, 1):
            x = body.centre(3.2) + side * 0.14
            stitch(canvas, cloth, [(x, 3.2), (x + side * 0.28, 3.18)], 1.4)


def _shorts(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    room, share = LEGWEAR["shorts"]
    for leg in body.legs:
        points, widths = leg_line(body, leg)
        eased = [width + more for width, more in zip(widths, room, strict=True)]
        ring, spread = cut(points, eased, share, share - 0.05)
        trim(canvas, cloth, ribbon(ring, [width * 0.99 for width in spread]), 0.12)
    if body.view == "front":
        for side in (-1, 1):
            edge = body.right(3.3) if side > 0 else body.left(3.3)
            stitch(canvas, cloth, [(edge - side * 0.2, 2.98), (edge + side * 0.02, 3.36)], 1.1)
    elif body.view == "back":
        for side in (-1, 1):
            x = body.centre(3.3) + side * 0.13
            pocket = [(x, 3.18), (x + side * 0.3, 3.16), (x + side * 0.3, 3.46), (x, 3.48)]
            canvas.stroke(polygon(pocket), cloth.seam, 1.0, alpha=0.8)


_DETAILS: Final = {"jeans": _jeans, "trousers": _trousers, "shorts": _shorts}


def skirt_path(body: Body, top: float, hem: float, flare: float) -> skia.Path:
    """A skirt from the waist to the hem, `flare` heads wider than the hips there."""
    at = body.shift
    wide = max(body.half(HIPS), 0.5) + flare
    middle = body.centre(HIPS) if body.profile else at
    right: list[Point] = [
        (body.right(top) + 0.03, top),
        (body.right(3.1) + 0.08, 3.1),
        (middle + wide * 0.86, (HIPS + hem) / 2),
        (middle + wide, hem - 0.06),
    ]
    left: list[Point] = [(middle - wide, hem - 0.06), (middle - wide * 0.86, (HIPS + hem) / 2),
                         (body.left(3.1) - 0.08, 3.1), (body.left(top) - 0.03, top)]  # fmt: skip
    waves: list[Point] = [
        (middle + wide * share, hem + (0.06 if index % 2 else -0.02))
        for index, share in enumerate((1.0, 0.72, 0.44, 0.16, -0.16, -0.44, -0.72, -1.0))
    ]
    waves[0], waves[-1] = right[-1], left[0]
    return outline(right, waves, left)


def draw_skirt_panel(canvas: Canvas, body: Body, cloth: Cloth, *, top: float, hem: float,
                     flare: float) -> None:  # fmt: skip
    """A skirt with folds that open towards the hem."""
    path = skirt_path(body, top, hem, flare)
    panel(canvas, cloth, path, 1.1)
    middle = body.centre(HIPS) if body.profile else body.shift
    wide = max(body.half(HIPS), 0.5) + flare
    start = top + 0.34 + 0.1 * (hem > 4.9)
    for share in (-0.66, -0.30, 0.06, 0.38, 0.72):
        from_x = body.centre(top) + share * body.half(3.1) * 0.9
        to_x = middle + wide * share
        points = [(from_x, start), ((from_x + to_x) / 2, (start + hem) / 2), (to_x, hem + 0.08),
                  (to_x + 0.03, hem + 0.2)]  # fmt: skip
        crease(canvas, cloth, points, 0.15, path)


def draw_skirt(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    """A knee-length A-line skirt."""
    draw_skirt_panel(canvas, body, cloth, top=RISE, hem=4.72, flare=0.36)
    if body.view == "back":
        stitch(canvas, cloth, [(body.centre(3.0), 2.98), (body.centre(3.5), 3.5)], 1.3)
    waistband(canvas, body, cloth)
