"""Shoes: sneakers, boots, heels, and the plain slippers that complete an outfit."""

from __future__ import annotations

from typing import Final

import skia

from training.pretraining.renderer.attributes import Rgb, luminance, mix
from training.pretraining.renderer.body import Body, Limb
from training.pretraining.renderer.canvas import Canvas, Part
from training.pretraining.renderer.fabric import Cloth
from training.pretraining.renderer.figure import contour_of, leg_line
from training.pretraining.renderer.shapes import Point, blob, line, outline, ribbon
from training.pretraining.renderer.tailoring import part_of, trim

_SOLE: Final[Rgb] = (250, 250, 248)


def draw_shoe(canvas: Canvas, body: Body, leg: Limb, cloth: Cloth, *, name: str,
              skin: Rgb) -> None:  # fmt: skip
    """A shoe on a foot; `name` is a garment or "plain"."""
    x, y = leg.joints[2]
    if body.profile:
        _from_the_side(canvas, (x, y), cloth, name, skin)
        return
    out = leg.side * (0.05 if body.view == "front" else 0.03)
    if name == "boots":
        _shaft(canvas, body, leg, cloth)
    if name == "heels":
        _heel_shoe(canvas, body, (x, y), cloth, out=out, skin=skin)
        return
    wide, low = (0.21, y + 0.40) if name != "plain" else (0.17, y + 0.36)
    top = y - 0.16 if name == "sneakers" else y - 0.02 if name == "plain" else y - 0.10
    if body.view == "back":
        low -= 0.06
        wide *= 0.86
    upper = blob([(x - 0.13, top), (x + 0.13, top), (x + out + wide, low - 0.16),
                  (x + out * 1.6 + wide * 0.7, low), (x + out * 1.6 - wide * 0.7, low),
                  (x + out - wide, low - 0.16)])  # fmt: skip
    canvas.fill(upper, cloth.fill, part_of(cloth), cloth.seam)
    canvas.model(upper, cloth.fold, 0.8)
    if name == "sneakers":
        _sole(canvas, cloth, x + out * 1.4, low, wide)
        if body.view == "front":
            for step in (0.02, 0.09, 0.16):
                lace = [(x + out * 0.5 - 0.075, y + step), (x + out * 0.5 + 0.075, y + step)]
                canvas.stroke(line(lace), _laces(cloth), 1.1)
        else:
            canvas.stroke(line([(x, top + 0.05), (x, low - 0.1)]), _laces(cloth), 1.6)
    elif name == "boots":
        dark = mix(cloth.colour, (20, 14, 16), 0.6)
        sole = outline([(x + out * 1.4 - wide * 0.8, low - 0.05), (x + out * 1.4 + wide * 0.8,
                       low - 0.05)], [(x + out * 1.4 + wide * 0.7, low + 0.03),
                       (x + out * 1.4 - wide * 0.7, low + 0.03)])  # fmt: skip
        canvas.fill(sole, dark, part_of(cloth))


def _laces(cloth: Cloth) -> Rgb:
    return (
        (250, 250, 248) if luminance(cloth.colour) < 190 else mix(cloth.colour, (60, 60, 70), 0.6)
    )


def _sole(canvas: Canvas, cloth: Cloth, x: float, low: float, wide: float) -> None:
    sole = outline([(x - wide, low - 0.10), (x, low - 0.06), (x + wide, low - 0.10)],
                   [(x + wide * 0.86, low + 0.03), (x, low + 0.045),
                    (x - wide * 0.86, low + 0.03)])  # fmt: skip
    canvas.fill(sole, _SOLE, part_of(cloth), (110, 110, 116))


def _shaft(canvas: Canvas, body: Body, leg: Limb, cloth: Cloth) -> None:
    """A boot's shaft, to below the knee."""
    _, widths = leg_line(body, leg)
    _, knee, ankle = leg.joints
    top = (knee[0] + (ankle[0] - knee[0]) * 0.30, knee[1] + (ankle[1] - knee[1]) * 0.30)
    middle = (knee[0] + (ankle[0] - knee[0]) * 0.7, knee[1] + (ankle[1] - knee[1]) * 0.7)
    foot = (ankle[0], ankle[1] + 0.14)
    path = ribbon([top, middle, foot], [widths[3] + 0.13, widths[4] + 0.11, widths[5] + 0.12])
    canvas.fill(path, cloth.fill, part_of(cloth), cloth.seam)
    canvas.model(path, cloth.fold)
    rim = ribbon([top, (top[0], top[1] + 0.10)], [widths[3] + 0.15, widths[3] + 0.15])
    trim(canvas, cloth, rim, 0.25)


def _heel_shoe(canvas: Canvas, body: Body, at: Point, cloth: Cloth, *, out: float,
               skin: Rgb) -> None:  # fmt: skip
    """A pointed pump; from behind its thin heel shows."""
    x, y = at
    foot = blob([(x - 0.11, y - 0.10), (x + 0.11, y - 0.10), (x + out + 0.16, y + 0.18),
                 (x + out * 1.6, y + 0.38), (x + out - 0.16, y + 0.18)])  # fmt: skip
    canvas.fill(foot, skin, Part.PERSON, contour_of(skin))
    if body.view == "back":
        cup = blob([(x - 0.14, y - 0.04), (x + 0.14, y - 0.04), (x + 0.17, y + 0.14),
                    (x + 0.07, y + 0.26), (x - 0.07, y + 0.26), (x - 0.17, y + 0.14)])  # fmt: skip
        canvas.fill(cup, cloth.fill, part_of(cloth), cloth.seam)
        spike = outline([(x - 0.08, y + 0.2), (x + 0.08, y + 0.2)],
                        [(x + 0.04, y + 0.41), (x - 0.04, y + 0.41)])  # fmt: skip
        canvas.fill(spike, cloth.fill, part_of(cloth), cloth.seam)
        return
    pump = outline([(x - 0.165 + out, y + 0.07), (x + out - 0.11, y + 0.16),
                    (x + out * 1.2, y + 0.19), (x + out + 0.11, y + 0.16),
                    (x + out + 0.165, y + 0.07)],
                   [(x + out * 1.4 + 0.215, y + 0.18), (x + out * 2 + 0.09, y + 0.40),
                    (x + out * 2, y + 0.45), (x + out * 2 - 0.09, y + 0.40),
                    (x + out * 1.4 - 0.215, y + 0.18)])  # fmt: skip
    canvas.fill(pump, cloth.fill, part_of(cloth), cloth.seam)
    canvas.model(pump, cloth.fold)


def _from_the_side(canvas: Canvas, at: Point, cloth: Cloth, name: str, skin: Rgb) -> None:
    if name == "heels":
        x, y = at
        foot = outline(
            [(x - 0.12, y - 0.1), (x - 0.14, y + 0.12), (x + 0.2, y + 0.30)],
            [(x + 0.46, y + 0.34), (x + 0.22, y + 0.10), (x + 0.10, y - 0.1)],
        )
        canvas.fill(foot, skin, Part.PERSON, contour_of(skin))
    draw_side_shoe(canvas, at, cloth, name)


def draw_side_shoe(canvas: Canvas, at: Point, cloth: Cloth, name: str) -> None:
    """A shoe seen from the side, toe towards +x, with the ankle at `at`."""
    x, y = at
    for path, fill in _pieces(at, cloth, name):
        canvas.fill(path, fill, part_of(cloth), cloth.seam)
        if fill is cloth.fill:
            canvas.model(path, cloth.fold, 0.8)
    if name == "sneakers":
        for step in (0.0, 0.09, 0.18):
            lace = [(x + 0.05 + step, y - 0.10 + step * 0.75), (x + 0.15 + step, y + step * 0.75)]
            canvas.stroke(line(lace), _laces(cloth), 1.3)
        stripe = line([(x - 0.06, y + 0.18), (x + 0.05, y + 0.17), (x + 0.15, y + 0.09)])
        canvas.stroke(stripe, _laces(cloth), 1.8, 0.9)


def _pieces(at: Point, cloth: Cloth, name: str) -> list[tuple[skia.Path, Rgb | skia.Shader]]:
    """The pieces of a shoe seen from the side, with their colours."""
    x, y = at
    if name == "heels":
        pump = outline([(x - 0.15, y + 0.0), (x - 0.19, y + 0.12), (x - 0.13, y + 0.25)],
                       [(x - 0.08, y + 0.22), (x + 0.22, y + 0.38), (x + 0.42, y + 0.40),
                        (x + 0.60, y + 0.385)],
                       [(x + 0.60, y + 0.375), (x + 0.40, y + 0.26), (x + 0.26, y + 0.24)],
                       [(x + 0.20, y + 0.30), (x, y + 0.20), (x - 0.15, y)])  # fmt: skip
        spike = outline([(x - 0.17, y + 0.16), (x - 0.07, y + 0.22)],
                        [(x - 0.12, y + 0.41), (x - 0.165, y + 0.41)])  # fmt: skip
        return [(spike, cloth.fill), (pump, cloth.fill)]
    top = {"sneakers": y - 0.14, "boots": y - 0.98, "plain": y - 0.02}[name]
    instep = (x + 0.16, y - 0.02) if name != "boots" else (x + 0.15, y - 0.04)
    back = [(x - 0.15, top), (x - 0.16, y - 0.1), (x - 0.20, y + 0.16), (x - 0.17, y + 0.32)]
    if name == "boots":
        back[0] = (x - 0.24, top)
    front: list[Point] = [(x + 0.54, y + 0.32), (x + 0.58, y + 0.21), (x + 0.46, y + 0.11), instep]
    front.append((x + 0.12, top) if name != "boots" else (x + 0.17, top))
    upper = outline(back, front)
    if name == "plain":
        return [(upper, cloth.fill)]
    sole = outline([(x - 0.22, y + 0.25), (x + 0.2, y + 0.28), (x + 0.60, y + 0.25)],
                   [(x + 0.61, y + 0.32), (x + 0.53, y + 0.39), (x - 0.17, y + 0.39),
                    (x - 0.22, y + 0.33), (x - 0.22, y + 0.25)])  # fmt: skip
    if name == "sneakers":
        return [(upper, cloth.fill), (sole, _SOLE)]
    dark = mix(cloth.colour, (20, 14, 16), 0.6)
    thin = outline([(x - 0.18, y + 0.30), (x + 0.55, y + 0.30)],
                   [(x + 0.54, y + 0.36), (x + 0.08, y + 0.36), (x + 0.06, y + 0.41),
                    (x - 0.19, y + 0.41)])  # fmt: skip
    return [(upper, cloth.fill), (thin, dark)]
