"""What covers trunk and legs: coat, dress and jumpsuit."""

from __future__ import annotations

from typing import Final

from training.pretraining.renderer.attributes import Rgb
from training.pretraining.renderer.body import HIPS, NECK, WAIST, Body
from training.pretraining.renderer.bottoms import draw_legwear, draw_skirt_panel
from training.pretraining.renderer.canvas import Canvas
from training.pretraining.renderer.fabric import Cloth
from training.pretraining.renderer.figure import symmetric
from training.pretraining.renderer.shapes import Point, line, outline
from training.pretraining.renderer.tailoring import (
    TopCut,
    buttons,
    collar_leaf,
    crease,
    draw_sleeves,
    draw_trunk_panel,
    panel,
    part_of,
    stitch,
    trim,
)
from training.pretraining.renderer.tops import flap_pockets, lapel_from_the_side

CUTS: Final[dict[str, TopCut]] = {
    "coat": TopCut(0.12, 0.55, 3.0, 0.98, 0.20, (0.24, 0.26), "band"),
    "dress": TopCut(0.03, 0.05, WAIST + 0.08, 0.22, 0.10, (0.33, 0.46), "hem"),
    "jumpsuit": TopCut(0.03, 0.10, WAIST + 0.10, 0.0, 0.0, (0.24, 0.62)),
}
COAT_HEM: Final = 5.24
DRESS_HEM: Final = 4.95


def draw_whole(canvas: Canvas, body: Body, cloth: Cloth, name: str, *, skin: Rgb | None) -> None:
    """Draw a coat, a dress or a jumpsuit with the arms in it; without `skin` nobody wears it."""
    cut = CUTS[name]
    far, near = body.arms
    if body.profile:
        draw_sleeves(canvas, body, cloth, cut, skin=skin, over=None, which=(far,))
    if name == "dress":
        draw_skirt_panel(canvas, body, cloth, top=WAIST, hem=DRESS_HEM, flare=0.46)
    elif name == "coat":
        _coat_skirt(canvas, body, cloth)
    else:
        draw_legwear(canvas, body, cloth, "jumpsuit")
    path = draw_trunk_panel(canvas, body, cloth, cut)
    _DETAILS[name](canvas, body, cloth)
    arms = (near,) if body.profile else body.arms
    draw_sleeves(canvas, body, cloth, cut, skin=skin, over=path, which=arms)


def belt(
    canvas: Canvas, body: Body, cloth: Cloth, *, top: float, height: float, room: float
) -> None:
    """A belt around the waist."""
    low = top + height
    path = outline([(body.left(top) - room, top), (body.centre(top), top + 0.03),
                    (body.right(top) + room, top)],
                   [(body.right(low) + room, low), (body.centre(low), low + 0.03),
                    (body.left(low) - room, low)])  # fmt: skip
    trim(canvas, cloth, path, 0.30)


def _dress(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    belt(canvas, body, cloth, top=WAIST - 0.02, height=0.12, room=0.045)
    if body.view == "back":
        stitch(canvas, cloth, [(0.0, NECK + 0.12), (body.centre(2.2), 2.2),
                               (body.centre(3.4), 3.4)], 1.2)  # fmt: skip
        return
    if body.profile:
        crease(canvas, cloth, [(body.right(2.1), 2.14), (0.2, 2.22), (0.02, 2.2)], 0.06)
        return
    half, depth = CUTS["dress"].neck
    top = NECK + 0.02 + (half - body.build.neck) * 0.3
    neckline = [(-half, top), (-half * 0.7, top + depth * 0.72), (0.0, top + depth),
                (half * 0.7, top + depth * 0.72), (half, top)]  # fmt: skip
    canvas.stroke(line(neckline), cloth.seam, 1.3)
    for side in (-1, 1):
        dart = [(side * body.half(2.3) * 0.5, 2.62), (side * body.half(2.3) * 0.55, 2.3)]
        stitch(canvas, cloth, dart, 0.9, 0.6)


def _coat_skirt(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    """The coat below its belt."""
    right: list[Point] = [
        (body.right(WAIST) + 0.14, WAIST),
        (body.right(HIPS) + 0.18, HIPS),
        (body.right(HIPS) + 0.26, 4.4),
        (body.right(HIPS) + 0.34, COAT_HEM),
    ]
    if body.profile:
        left: list[Point] = [(body.left(HIPS) - 0.18, COAT_HEM), (body.left(HIPS) - 0.14, 4.4),
                             (body.left(HIPS) - 0.10, HIPS), (body.left(WAIST) - 0.12,
                             WAIST)]  # fmt: skip
    else:
        left = symmetric(body, right)
    middle = (right[-1][0] + left[0][0]) / 2
    hem: list[Point] = [right[-1], (middle, COAT_HEM + 0.08), left[0]]
    path = outline(right, hem, left)
    panel(canvas, cloth, path, 1.1)
    for share in (-0.55, 0.5):
        x = middle + share * (right[-1][0] - middle)
        crease(canvas, cloth, [(x * 0.8, 3.5), (x * 0.95, 4.4), (x, 5.1), (x, 5.3)], 0.12, path)
    if body.view == "back":
        stitch(canvas, cloth, [(body.centre(HIPS), 4.0), (middle, COAT_HEM + 0.06)], 1.3)
    elif not body.profile:
        edge = body.centre(WAIST) + 0.16
        stitch(canvas, cloth, [(edge, WAIST), (edge + 0.04, 4.0), (middle + 0.22, COAT_HEM + 0.05)],
               1.3)  # fmt: skip


def _coat(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    belt(canvas, body, cloth, top=WAIST + 0.02, height=0.20, room=0.15)
    if body.view == "back":
        trim(canvas, cloth, outline([(-0.28, 1.10), (0.0, 1.14), (0.28, 1.10)],
                                    [(0.42, 1.44), (0.0, 1.54), (-0.42, 1.44)]), 0.08)  # fmt: skip
        stitch(canvas, cloth, [(-0.5, 1.86), (0.0, 1.94), (0.5, 1.86)], 1.0, 0.7)
        return
    if body.profile:
        lapel_from_the_side(canvas, body, cloth)
        return
    x = body.centre(WAIST)
    stitch(canvas, cloth, [(0.16, 1.9), (x + 0.16, WAIST)], 1.2)
    places = [(body.centre(y) + side * 0.20, y) for y in (2.06, 2.38) for side in (-1, 1)]
    places += [(body.centre(y) + side * 0.20, y) for y in (3.1, 3.46) for side in (-1, 1)]
    buttons(canvas, cloth, places, 0.055)
    flap_pockets(canvas, body, cloth, 3.56, 0.34)
    buckle: list[Point] = [(x - 0.10, 2.69), (x + 0.10, 2.69), (x + 0.10, 2.93), (x - 0.10, 2.93)]
    canvas.fill(outline(buckle), cloth.fill, part_of(cloth), cloth.seam)
    for side in (-1, 1):
        collar_leaf(canvas, cloth, [(side * 0.16, 1.10), (side * 0.40, 1.24), (side * 0.60, 1.58),
                                    (side * 0.40, 1.74), (side * 0.44, 1.86), (0.14 * side, 2.06),
                                    (0.0, 1.86)])  # fmt: skip


def _jumpsuit(canvas: Canvas, body: Body, cloth: Cloth) -> None:
    belt(canvas, body, cloth, top=WAIST + 0.04, height=0.13, room=0.05)
    if body.profile:
        return
    if body.view == "back":
        stitch(canvas, cloth, [(0.0, 1.4), (body.centre(3.4), 3.4)], 1.2)
        return
    half, depth = CUTS["jumpsuit"].neck
    stitch(canvas, cloth, [(0.0, NECK + depth), (body.centre(WAIST), WAIST)], 1.0)
    for side in (-1, 1):
        canvas.stroke(line([(side * half, 1.32), (side * half * 0.6, 1.66), (0.0, NECK + depth)]),
                      cloth.seam, 1.3)  # fmt: skip
    x = body.centre(WAIST)
    for side in (-1, 1):
        end = [(x, WAIST + 0.12), (x + side * 0.10, WAIST + 0.34), (x + side * 0.09, WAIST + 0.5)]
        canvas.stroke(line(end), cloth.seam, 1.6)


_DETAILS: Final = {"coat": _coat, "dress": _dress, "jumpsuit": _jumpsuit}
