"""Hair: what hangs behind the head, and what lies over it, from the front, the back and the side.

Every style keeps one silhouette from all sides: cropped, to the chin, straight to the chest, wavy
to the shoulders, a round cloud of curls, a tail, a knot, two braids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import skia

from training.pretraining.renderer.attributes import HAIR_COLOURS, Rgb, Scene, luminance, mix
from training.pretraining.renderer.canvas import Canvas, Part
from training.pretraining.renderer.shapes import Point, blob, ellipse, line, outline

_BAND: Final[Rgb] = (196, 70, 84)


def style_of(scene: Scene) -> str:
    """The hair as it is worn: pinned up where only its ends would be in the picture.

    Loose hair would hide the garment there, and nobody asks for hair in a picture without a head.
    """
    return scene.hair_style if scene.shows_head else "bun"


def _edge(hair: Rgb) -> Rgb:
    return mix(hair, (20, 8, 16), 0.4) if luminance(hair) > 50 else mix(hair, (150, 140, 150), 0.3)


def _lock(canvas: Canvas, hair: Rgb, path: skia.Path) -> None:
    canvas.fill(path, hair, Part.PERSON, _edge(hair))
    canvas.model(path, mix(hair, (20, 4, 20), 0.7), 0.8)


def _strands(canvas: Canvas, hair: Rgb, lines: Sequence[Sequence[Point]]) -> None:
    for points in lines:
        canvas.stroke(line(points), _edge(hair), 1.0, alpha=0.4)


def _shine(canvas: Canvas, hair: Rgb, points: Sequence[Point]) -> None:
    canvas.stroke(line(points), mix(hair, (255, 255, 255), 0.6), 1.5, alpha=0.4)


def _both(points: Sequence[Point]) -> list[Point]:
    """A closed outline, given its right half from the top to the bottom."""
    return [*points, *[(-x, y) for x, y in reversed(points) if abs(x) > 1e-6]]


def _braid(canvas: Canvas, hair: Rgb, points: Sequence[Point], size: float) -> None:
    for index, at in enumerate(points):
        width = size * (1 - 0.04 * index)
        _lock(canvas, hair, ellipse(at, (width, width * 0.92)))
    x, y = points[-1]
    canvas.fill(ellipse((x, y + size * 0.75), (size * 0.6, size * 0.4)), _BAND, Part.PERSON)
    _lock(canvas, hair, blob([(x - 0.06, y + size), (x + 0.06, y + size), (x + 0.07, y + size * 2),
                              (x, y + size * 2.6), (x - 0.07, y + size * 2)]))  # fmt: skip


#: Right halves of what hangs behind the face, top to bottom.
_BEHIND: Final[dict[str, list[Point]]] = {
    "bob": [(0.0, -0.05), (0.34, 0.04), (0.50, 0.42), (0.55, 0.88), (0.46, 1.08), (0.20, 1.06),
            (0.0, 1.02)],
    "long": [(0.0, -0.05), (0.34, 0.04), (0.47, 0.42), (0.50, 1.0), (0.56, 1.7), (0.52, 2.14),
             (0.34, 2.22), (0.0, 1.9)],
    "wavy": [(0.0, -0.07), (0.38, 0.03), (0.54, 0.34), (0.50, 0.64), (0.70, 0.92), (0.62, 1.2),
             (0.80, 1.46), (0.60, 1.72), (0.34, 1.68), (0.0, 1.5)],
}  # fmt: skip


def draw_hair_behind(canvas: Canvas, scene: Scene) -> None:
    """What a head seen from the front or the side has behind it; nothing from the back."""
    hair, style = HAIR_COLOURS[scene.hair_colour], style_of(scene)
    if scene.view == "back":
        return
    if scene.view == "side":
        _behind_from_the_side(canvas, hair, style)
        return
    if style in _BEHIND:
        behind = blob(_both(_BEHIND[style]))
        _lock(canvas, hair, behind)
        neck = blob([(-0.34, 0.8), (0.34, 0.8), (0.36, 1.3), (0.0, 1.5), (-0.36, 1.3)])
        canvas.shade(neck, mix(hair, (10, 0, 10), 0.8), 0.35, within=behind)
    elif style == "curly":
        _cloud(canvas, hair, (0.0, 0.40), 0.62, 0.60)
    elif style == "bun":
        _knot(canvas, hair, (0.0, -0.14))
    elif style == "ponytail":
        side = 1 if not scene.mirrored else -1
        tail = [(0.06, 0.02), (0.46, -0.02), (0.70, 0.34), (0.74, 0.92), (0.62, 1.50), (0.52, 1.62),
                (0.50, 1.10), (0.42, 0.52)]  # fmt: skip
        _lock(canvas, hair, blob([(side * x, y) for x, y in tail]))
        _strands(canvas, hair, [[(side * 0.56, 0.4), (side * 0.63, 0.9), (side * 0.57, 1.4)]])


def _knot(canvas: Canvas, hair: Rgb, at: Point) -> None:
    x, y = at
    _lock(canvas, hair, ellipse(at, (0.25, 0.22)))
    _strands(canvas, hair, [[(x - 0.13, y + 0.02), (x, y - 0.10), (x + 0.14, y + 0.0)]])


def _cloud(canvas: Canvas, hair: Rgb, at: Point, rx: float, ry: float) -> None:
    """A round mass of curls."""
    x, y = at
    ring = ((0.0, -1.0), (0.62, -0.8), (0.95, -0.28), (0.98, 0.30), (0.76, 0.78), (-0.76, 0.78),
            (-0.98, 0.30), (-0.95, -0.28), (-0.62, -0.8))  # fmt: skip
    mass = ellipse(at, (rx * 0.94, ry * 0.94))
    curls = [ellipse((x + dx * rx * 0.78, y + dy * ry * 0.78), (0.2, 0.2)) for dx, dy in ring]
    for curl in curls:
        canvas.fill(curl, hair, Part.PERSON, _edge(hair))
    canvas.fill(mass, hair, Part.PERSON)
    canvas.model(mass, mix(hair, (20, 4, 20), 0.7), 0.8)


def _curls(canvas: Canvas, hair: Rgb, centres: Sequence[Point], size: float) -> None:
    for at in centres:
        path = ellipse(at, (size, size))
        canvas.fill(path, hair, Part.PERSON)
        arc = line([(at[0] - size * 0.6, at[1] + size * 0.5), (at[0], at[1] + size * 0.8),
                    (at[0] + size * 0.7, at[1] + size * 0.3)])  # fmt: skip
        canvas.stroke(arc, _edge(hair), 0.9, alpha=0.55)


def _behind_from_the_side(canvas: Canvas, hair: Rgb, style: str) -> None:
    if style == "bun":
        _knot(canvas, hair, (-0.20, -0.10))
    elif style == "ponytail":
        tail = [(-0.26, 0.16), (-0.62, 0.14), (-0.80, 0.50), (-0.76, 1.10), (-0.62, 1.62),
                (-0.56, 1.10), (-0.46, 0.60)]  # fmt: skip
        _lock(canvas, hair, blob(tail))
        _strands(canvas, hair, [[(-0.6, 0.4), (-0.66, 0.9), (-0.63, 1.4)]])
    elif style == "curly":
        _cloud(canvas, hair, (-0.14, 0.40), 0.56, 0.58)


def draw_hair(canvas: Canvas, scene: Scene) -> None:
    """What lies over the head."""
    hair, style = HAIR_COLOURS[scene.hair_colour], style_of(scene)
    if scene.view == "back":
        _from_the_back(canvas, hair, style)
    elif scene.view == "side":
        _from_the_side(canvas, hair, style)
    else:
        _from_the_front(canvas, hair, style, 1 if not scene.mirrored else -1)


def _from_the_front(canvas: Canvas, hair: Rgb, style: str, side: int) -> None:
    if style == "curly":
        _curls(canvas, hair, [(-0.36, 0.30), (0.36, 0.30), (-0.24, 0.12), (0.24, 0.12),
                              (0.0, 0.06), (-0.10, 0.20), (0.12, 0.20)], 0.165)  # fmt: skip
        return
    if style in {"long", "bob", "braids"}:
        _curtains(canvas, hair, 1.0 if style == "bob" else 0.72 if style == "braids" else 1.9)
    elif style == "wavy":
        _waves(canvas, hair, side)
    else:
        low = 0.40 if style == "short" else 0.44
        cap = [(-0.385, low + 0.08), (-0.42, 0.24), (-0.30, 0.0), (0.0, -0.09), (0.30, 0.0),
               (0.42, 0.24), (0.385, low + 0.08), (0.335, 0.34)]  # fmt: skip
        if style == "short":
            fringe = [(0.335, 0.34), (0.20, 0.20), (0.0, 0.27), (-0.22, 0.18), (-0.335, 0.34),
                      (-0.385, low + 0.08)]  # fmt: skip
        else:
            fringe = [(0.335, 0.34), (0.22, 0.17), (0.0, 0.13), (-0.22, 0.17), (-0.335, 0.34),
                      (-0.385, low + 0.08)]  # fmt: skip
        path = outline([(side * x, y) for x, y in cap], [(side * x, y) for x, y in fringe])
        _lock(canvas, hair, path)
        if style == "short":
            _strands(canvas, hair, [[(side * 0.05, 0.22), (side * 0.12, 0.05)],
                                    [(-side * 0.18, 0.18), (-side * 0.08, 0.02)]])  # fmt: skip
        else:
            _strands(canvas, hair, [[(x * 1.5, 0.18), (x, -0.04)] for x in (-0.16, 0.0, 0.16)])
    _shine(canvas, hair, [(-0.22, 0.10), (-0.05, 0.03), (0.12, 0.05)])
    if style == "braids":
        for one in (-1, 1):
            chain = [(one * 0.44, 0.86 + 0.22 * step) for step in range(5)]
            _braid(canvas, hair, [(x + one * 0.02 * i, y) for i, (x, y) in enumerate(chain)], 0.125)


def _curtains(canvas: Canvas, hair: Rgb, low: float) -> None:
    """Straight hair parted in the middle, hanging on both sides of the face."""
    for one in (-1, 1):
        wide = 0.44 if low < 1.5 else 0.40
        end = 0.30 if low < 0.8 else 0.36
        outer = [(0.0, -0.07), (0.30, 0.0), (0.45, 0.30), (wide + 0.03, min(low, 0.8)),
                 (wide + (0.08 if low > 1.5 else 0.02), low)]  # fmt: skip
        inner = [(wide - (0.18 if low > 1.5 else 0.12), low), (end - 0.02, min(low, 0.75)),
                 (0.30, 0.42), (0.18, 0.20), (0.0, 0.10)]  # fmt: skip
        path = outline([(one * x, y) for x, y in outer], [(one * x, y) for x, y in inner])
        _lock(canvas, hair, path)
        if low > 0.8:
            _strands(canvas, hair, [[(one * 0.35, 0.4), (one * 0.40, low * 0.9)]])


def _waves(canvas: Canvas, hair: Rgb, side: int) -> None:
    """Wavy hair parted on one side, with wide waves on both."""
    for one, part in ((-side, -0.14), (side, 0.14)):
        reach = 1.0 if one == side else -1.0
        top = -0.14 * reach
        outer = [(top, -0.08), (0.32, -0.02), (0.50, 0.28), (0.44, 0.62), (0.60, 0.92),
                 (0.50, 1.20), (0.62, 1.48)]  # fmt: skip
        inner = [(0.62, 1.48), (0.40, 1.36), (0.36, 1.08), (0.44, 0.86), (0.30, 0.62), (0.33, 0.42),
                 (0.20 - part * 0.2, 0.22), (top, 0.08)]  # fmt: skip
        path = outline([(one * x, y) for x, y in outer], [(one * x, y) for x, y in inner])
        _lock(canvas, hair, path)
        wave = [(0.38, 0.5), (0.50, 0.88), (0.43, 1.16), (0.52, 1.4)]
        _strands(canvas, hair, [[(one * x, y) for x, y in wave]])


#: Right halves of the whole head of hair from the back, top to bottom.
_BACKS: Final[dict[str, list[Point]]] = {
    "short": [(0.0, -0.09), (0.30, 0.0), (0.42, 0.28), (0.365, 0.60), (0.22, 0.80), (0.0, 0.84)],
    "bob": [(0.0, -0.07), (0.34, 0.03), (0.50, 0.40), (0.56, 0.90), (0.44, 1.10), (0.0, 1.12)],
    "long": [(0.0, -0.07), (0.34, 0.03), (0.47, 0.40), (0.50, 1.0), (0.56, 1.8), (0.48, 2.34),
             (0.0, 2.44)],
    "wavy": [(0.0, -0.09), (0.36, 0.02), (0.54, 0.34), (0.50, 0.64), (0.70, 0.92), (0.62, 1.2),
             (0.80, 1.48), (0.52, 1.78), (0.26, 1.70), (0.0, 1.84)],
    "gathered": [(0.0, -0.09), (0.30, 0.0), (0.42, 0.28), (0.40, 0.58), (0.26, 0.84), (0.0, 0.92)],
}  # fmt: skip


#: Lines on the hair from the back.
_BACK_LINES: Final[dict[str, list[list[Point]]]] = {
    "short": [[(-0.24, y - 0.06), (0.0, y), (0.24, y - 0.06)] for y in (0.62, 0.74)],
    "long": [[(x, 0.5), (x * 1.1, 2.2)] for x in (-0.28, -0.08, 0.1, 0.3)],
    "wavy": [[(x, 0.5), (x * 1.5, 0.9), (x * 1.2, 1.2), (x * 1.6, 1.5)] for x in (-0.3, 0.0, 0.3)],
    "bun": [[(x, 0.78), (x * 0.5, 0.08)] for x in (-0.2, 0.0, 0.2)],
    "braids": [[(0.0, -0.04), (0.0, 0.88)]],
    "ponytail": [[(x * 2.6, 0.62), (x, 0.34)] for x in (-0.1, 0.1)],
}


def _from_the_back(canvas: Canvas, hair: Rgb, style: str) -> None:
    if style == "curly":
        _cloud(canvas, hair, (0.0, 0.42), 0.62, 0.62)
        _curls(canvas, hair, [(-0.3, 0.2), (0.0, 0.08), (0.3, 0.2), (-0.16, 0.42), (0.18, 0.44),
                              (-0.34, 0.62), (0.0, 0.72), (0.34, 0.64)], 0.17)  # fmt: skip
        return
    if style == "bun":
        _knot(canvas, hair, (0.0, -0.16))
    _lock(canvas, hair, blob(_both(_BACKS.get(style, _BACKS["gathered"]))))
    _shine(canvas, hair, [(-0.24, 0.16), (-0.06, 0.07), (0.14, 0.10)])
    _strands(canvas, hair, _BACK_LINES.get(style, []))
    if style == "ponytail":
        canvas.fill(ellipse((0.0, 0.30), (0.11, 0.08)), _BAND, Part.PERSON)
        tail = [(0.0, 0.30), (0.15, 0.42), (0.20, 1.0), (0.13, 1.62), (0.0, 1.86)]
        _lock(canvas, hair, blob(_both(tail)))
        _strands(canvas, hair, [[(x, 0.55), (x * 1.3, 1.5)] for x in (-0.06, 0.06)])
    elif style == "braids":
        for one in (-1, 1):
            chain = [(one * (0.30 + 0.02 * step), 0.88 + 0.22 * step) for step in range(5)]
            _braid(canvas, hair, chain, 0.125)


def _from_the_side(canvas: Canvas, hair: Rgb, style: str) -> None:
    if style == "curly":
        _curls(canvas, hair, [(0.18, 0.10), (-0.02, 0.04), (-0.24, 0.10), (-0.42, 0.30),
                              (-0.08, 0.26), (-0.28, 0.42), (-0.46, 0.58), (-0.26, 0.68),
                              (0.10, 0.24)], 0.18)  # fmt: skip
        return
    front = [(0.27, 0.30), (0.31, 0.14), (0.14, -0.04), (-0.16, -0.08)]
    ends: dict[str, list[Point]] = {
        "short": [(-0.40, 0.10), (-0.47, 0.44), (-0.36, 0.76), (-0.20, 0.84)],
        "bob": [(-0.44, 0.10), (-0.54, 0.50), (-0.50, 0.96), (-0.30, 1.10), (0.02, 1.06)],
        "long": [(-0.42, 0.10), (-0.52, 0.50), (-0.52, 1.2), (-0.56, 1.8), (-0.46, 2.14),
                 (-0.24, 2.06)],
        "wavy": [(-0.44, 0.08), (-0.60, 0.42), (-0.54, 0.76), (-0.74, 1.06), (-0.64, 1.34),
                 (-0.72, 1.62), (-0.40, 1.76), (-0.10, 1.6)],
    }  # fmt: skip
    inner: dict[str, list[Point]] = {
        "short": [(-0.14, 0.70), (-0.10, 0.46), (0.04, 0.42), (0.10, 0.30)],
        "bob": [(0.12, 0.96), (0.06, 0.68), (0.07, 0.44), (0.16, 0.30)],
        "long": [(-0.14, 1.8), (-0.08, 1.2), (0.04, 0.68), (0.06, 0.44), (0.16, 0.30)],
        "wavy": [(0.04, 1.40), (-0.02, 1.12), (0.10, 0.86), (0.04, 0.62), (0.08, 0.42),
                 (0.16, 0.28)],
    }  # fmt: skip
    gathered_end: list[Point] = [(-0.40, 0.10), (-0.46, 0.40), (-0.36, 0.72), (-0.22, 0.80)]
    gathered_inner: list[Point] = [(-0.10, 0.62), (-0.02, 0.42), (0.10, 0.34)]
    path = outline([*front, *ends.get(style, gathered_end), *inner.get(style, gathered_inner),
                    (0.27, 0.30)])  # fmt: skip
    _lock(canvas, hair, path)
    _shine(canvas, hair, [(-0.20, 0.06), (-0.02, 0.03), (0.14, 0.10)])
    if style == "ponytail":
        canvas.fill(ellipse((-0.40, 0.24), (0.09, 0.09)), _BAND, Part.PERSON)
        _strands(canvas, hair, [[(0.20, 0.12), (-0.36, 0.22)], [(-0.06, 0.48), (-0.38, 0.28)]])
    elif style == "bun":
        _strands(canvas, hair, [[(0.18, 0.16), (-0.16, 0.0)], [(-0.2, 0.7), (-0.26, 0.1)]])
    elif style == "braids":
        _strands(canvas, hair, [[(0.18, 0.14), (-0.2, 0.4), (-0.2, 0.8)]])
        _braid(canvas, hair, [(-0.16 - 0.02 * i, 0.86 + 0.22 * i) for i in range(5)], 0.125)
    elif style == "long":
        _strands(canvas, hair, [[(-0.14, 0.6), (-0.24, 2.1)], [(-0.34, 0.5), (-0.42, 2.0)]])
    elif style == "wavy":
        _strands(canvas, hair, [[(-0.2, 0.5), (-0.36, 0.9), (-0.26, 1.2), (-0.4, 1.5)]])
