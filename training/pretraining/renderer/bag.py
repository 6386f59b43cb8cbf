"""A handbag, carried in a hand or lying by itself."""

from __future__ import annotations

from typing import Final

from training.pretraining.renderer.attributes import Rgb, mix
from training.pretraining.renderer.body import Body, Limb
from training.pretraining.renderer.canvas import Canvas, Part
from training.pretraining.renderer.fabric import Cloth
from training.pretraining.renderer.shapes import Point, ellipse, outline, ribbon

_GOLD: Final[Rgb] = (222, 178, 84)


def carrier(body: Body) -> Limb:
    """The arm that carries: the nearer of those that hang down."""
    return max(body.arms[::-1], key=lambda arm: arm.joints[2][1] > 3.2)


def bag_place(body: Body) -> Point:
    """Where the handle is held."""
    _, elbow, wrist = carrier(body).joints
    return (wrist[0], wrist[1] + 0.20) if wrist[1] > 3.2 else elbow


def draw_bag(canvas: Canvas, at: Point, cloth: Cloth, size: float = 1.0) -> None:
    """A handbag whose handle is held at `at`; it hangs 1.1 heads down, times `size`."""
    x, y = at

    def place(dx: float, dy: float) -> Point:
        return x + dx * size, y + dy * size

    handle = [place(-0.26, 0.46), place(-0.22, 0.10), place(0.0, -0.03), place(0.22, 0.10),
              place(0.26, 0.46)]  # fmt: skip
    strap = ribbon(handle, [0.08 * size] * 5)
    canvas.fill(strap, mix(cloth.colour, cloth.seam, 0.4), Part.CARRIED, cloth.seam)
    body = outline(
        [place(-0.40, 0.42), place(0.0, 0.40), place(0.40, 0.42)],
        [place(0.43, 0.6), place(0.50, 1.0), place(0.46, 1.10)],
        [place(0.40, 1.14), place(0.0, 1.15), place(-0.40, 1.14)],
        [place(-0.46, 1.10), place(-0.50, 1.0), place(-0.43, 0.6), place(-0.40, 0.42)],
    )
    canvas.fill(body, cloth.fill, Part.CARRIED, cloth.seam)
    canvas.model(body, cloth.fold)
    flap = outline(
        [place(-0.41, 0.42), place(0.0, 0.40), place(0.41, 0.42)],
        [place(0.44, 0.62), place(0.26, 0.76), place(0.0, 0.80), place(-0.26, 0.76),
         place(-0.44, 0.62)],
    )  # fmt: skip
    canvas.shade(flap, cloth.fold, 0.07)
    canvas.stroke(flap, cloth.seam, 1.1)
    clasp = ellipse(place(0.0, 0.78), (0.07 * size, 0.06 * size))
    canvas.fill(clasp, _GOLD, Part.CARRIED, (120, 84, 30))
    for side in (-1, 1):
        canvas.fill(ellipse(place(side * 0.26, 0.45), (0.04 * size, 0.04 * size)), _GOLD,
                    Part.CARRIED)  # fmt: skip
