"""The bare body: legs, trunk, arms and hands."""

from __future__ import annotations

import math
from typing import Final

import skia

from training.pretraining.renderer.attributes import Rgb, mix
from training.pretraining.renderer.body import (
    ANKLE,
    ARMPIT,
    CROTCH,
    HIPS,
    NECK,
    SHOULDER,
    WAIST,
    Body,
    Limb,
)
from training.pretraining.renderer.canvas import Canvas, Part
from training.pretraining.renderer.shapes import (
    Point,
    blob,
    cut,
    line,
    mirrored,
    outline,
    ribbon,
    sides,
    towards,
)


def contour_of(skin: Rgb) -> Rgb:
    """The colour of contours on skin."""
    return mix(skin, (84, 30, 28), 0.42)


def shade_of(skin: Rgb) -> Rgb:
    """The colour of shade on skin, laid over it with a low opacity."""
    return mix(skin, (110, 30, 40), 0.75)


def arm_line(body: Body, arm: Limb) -> tuple[list[Point], list[float]]:
    """The centre line of an arm with its widths, from the top of the shoulder to the wrist."""
    shoulder, elbow, wrist = arm.joints
    width = body.build.arm * (1.06 if body.profile else 1.0)
    inwards = 0.0 if body.profile else -arm.side * 0.09
    raised = elbow[1] - shoulder[1] < 0.6
    cap = (shoulder[0] + inwards * (2.2 if raised else 1), SHOULDER + (0.03 if not raised else 0.2))
    points = [
        cap,
        towards(shoulder, elbow, 0.16),
        towards(shoulder, elbow, 0.5),
        elbow,
        towards(elbow, wrist, 0.45),
        wrist,
    ]
    widths = [width * 0.34, width * 0.98, width * 0.95, width * 0.76, width * 0.76, width * 0.52]
    return points, widths


def leg_line(body: Body, leg: Limb) -> tuple[list[Point], list[float]]:
    """The centre line of a leg with its widths, from hip to ankle."""
    hip, knee, ankle = leg.joints
    width = body.build.leg * (1.1 if body.profile else 1.0)
    calf, thigh = towards(knee, ankle, 0.36), towards(hip, knee, 0.5)
    if body.profile:
        calf = (calf[0] - 0.05, calf[1])
        hip = (body.centre(CROTCH), hip[1])
    points = [hip, thigh, knee, calf, towards(knee, ankle, 0.75), ankle]
    widths = [width, width * 0.86, width * 0.60, width * 0.60, width * 0.42, width * 0.33]
    if body.profile:
        widths[0] = 2 * body.half(CROTCH)
    return points, widths


def draw_leg(canvas: Canvas, body: Body, leg: Limb, skin: Rgb) -> None:
    """A bare leg down to the ankle."""
    points, widths = leg_line(body, leg)
    foot = (points[-1][0], ANKLE + 0.12)
    path = ribbon([*points, foot], [*widths, widths[-1]])
    canvas.fill(path, skin, Part.PERSON, contour_of(skin))
    canvas.model(path, shade_of(skin))
    if not body.profile and body.view == "front":
        x, y = leg.joints[1]
        knee = line([(x - 0.09, y + 0.05), (x, y + 0.10), (x + 0.09, y + 0.05)])
        canvas.stroke(knee, contour_of(skin), 0.8, alpha=0.35)


def draw_trunk(canvas: Canvas, body: Body, skin: Rgb) -> None:
    """Neck, shoulders and trunk."""
    edge, neck = contour_of(skin), body.build.neck
    if body.profile:
        path = outline(
            [(-0.14, 0.72), (-0.17, NECK), (-0.32, SHOULDER + 0.1), (body.left(2.0), 2.0),
             (body.left(WAIST), WAIST), (body.left(HIPS), HIPS), (body.left(CROTCH), CROTCH)],
            [(body.right(CROTCH), CROTCH), (body.right(WAIST), WAIST), (body.right(2.06), 2.06),
             (0.16, SHOULDER + 0.06), (0.09, NECK - 0.02), (0.10, 0.86)],
        )  # fmt: skip
    else:
        wide = body.build.shoulder
        right = [(neck, 0.8), (neck, NECK - 0.06), (neck * 1.5, NECK + 0.06),
                 (wide * 0.72, SHOULDER - 0.05), (wide * 0.94, SHOULDER + 0.12),
                 (body.right(ARMPIT), ARMPIT), (body.right(WAIST), WAIST), (body.right(HIPS), HIPS),
                 (body.right(CROTCH), CROTCH + 0.1)]  # fmt: skip
        left = [(2 * body.centre(y) - x if y > 1.5 else -x, y) for x, y in right]
        path = outline(right, left[::-1])
    canvas.fill(path, skin, Part.PERSON, edge)
    canvas.model(path, shade_of(skin), 0.6)
    if body.view == "front":
        for side in (-1, 1):
            bone = line([(side * 0.10, 1.52), (side * 0.28, 1.47), (side * 0.46, 1.49)])
            canvas.stroke(bone, edge, 0.8, alpha=0.35)


def draw_neck_shadow(canvas: Canvas, body: Body, skin: Rgb) -> None:
    """The shadow of the head on the neck, drawn before the head."""
    neck = body.build.neck
    if body.profile:
        path = outline([(-0.12, 0.8), (0.1, 0.9)], [(0.09, 1.2), (-0.02, 1.08), (-0.14, 1.0)])
    elif body.view == "front":
        path = outline([(-neck, 0.8), (neck, 0.8)],
                       [(neck, 1.06), (0.03, 1.25), (-neck, 1.06)])  # fmt: skip
    else:
        return
    canvas.shade(path, shade_of(skin), 0.42)


def arm_shape(body: Body, arm: Limb, points: list[Point], widths: list[float],
              reach: float = 0.0) -> tuple[skia.Path, skia.Path]:  # fmt: skip
    """An arm or a sleeve that grows out of the shoulder.

    Args:
        body: whose arm it is.
        arm: the arm.
        points: its centre line from the top of the shoulder, perhaps cut off at a sleeve's end.
        widths: at each of the points.
        reach: how much wider than the body a sleeve's armhole is, in heads.

    Returns:
        The closed shape, and its contour without the line where it meets the trunk.
    """
    if body.profile:
        back, front = sides(points[1:], widths[1:])
        top = (points[1][0], SHOULDER + 0.0 - reach * 0.2)
        edge = line([*back[::-1], top, *front])
        path = skia.Path(edge)
        path.close()
        return path, edge
    first, second = sides(points[1:], widths[1:])
    outer, inner = (second, first) if arm.side > 0 else (first, second)
    wide = body.build.shoulder
    top = (arm.side * wide * 0.77, SHOULDER - 0.055 - reach * 0.1)
    pit_x = body.right(ARMPIT) if arm.side > 0 else body.left(ARMPIT)
    pit = (pit_x - arm.side * 0.08, ARMPIT + reach * 0.15)
    rounded = []
    if outer[0][1] > SHOULDER + 0.22:
        rounded = [(top[0] + (outer[0][0] - top[0]) * 0.72, SHOULDER + 0.07)]
    upper = [top, *rounded, *outer]
    lower = [*inner[:0:-1], pit]
    path = outline(upper, lower, [pit, (top[0] - arm.side * 0.05, (top[1] + pit[1]) / 2), top])
    edge = line(upper)
    edge.addPath(line(lower))
    return path, edge


def draw_arm(canvas: Canvas, body: Body, arm: Limb, skin: Rgb) -> None:
    """A bare arm with its hand."""
    draw_hand(canvas, body, arm, skin)
    points, widths = arm_line(body, arm)
    path, edge = arm_shape(body, arm, points, widths)
    canvas.fill(path, skin, Part.PERSON)
    canvas.model(path, shade_of(skin), 0.8)
    canvas.stroke(edge, contour_of(skin), 0.7, alpha=0.55)
    # No contour where hand and arm meet.
    wrist = ribbon(*cut(points, [width * 0.86 for width in widths], 1.0, 0.93))
    canvas.fill(wrist, skin, Part.PERSON)


def _placed(points: list[Point], at: Point, angle: float, flip: int) -> list[Point]:
    """Points drawn along +y from the origin, turned so that +y is the direction of `angle`."""
    sine, cosine = math.sin(angle), math.cos(angle)
    return [
        (at[0] + flip * x * cosine + y * sine, at[1] - flip * x * sine + y * cosine)
        for x, y in points
    ]


#: A relaxed hand, fingers down, thumb towards +x.
_HAND: Final = [(-0.07, -0.06), (-0.095, 0.08), (-0.09, 0.24), (-0.045, 0.37), (0.02, 0.38),
                (0.06, 0.26), (0.075, 0.10), (0.065, -0.06)]  # fmt: skip
_THUMB: Final = [(0.045, 0.02), (0.10, 0.09), (0.125, 0.20), (0.10, 0.245), (0.06, 0.18),
                 (0.03, 0.10)]  # fmt: skip


def draw_hand(canvas: Canvas, body: Body, arm: Limb, skin: Rgb) -> None:
    """The hand at the end of an arm, its thumb towards the body."""
    _, elbow, wrist = arm.joints
    edge = contour_of(skin)
    angle = math.atan2(wrist[0] - elbow[0], wrist[1] - elbow[1])
    on_hip = abs(wrist[0] - elbow[0]) > 0.3 and wrist[1] < 3.3 and wrist[1] > SHOULDER
    if on_hip:
        # The hand lies on the waist, fingers down and inwards.
        angle *= 0.55
    size = 1.0 + (body.build.arm - 0.29) * 0.9
    flip = 1 if body.profile else -arm.side
    if wrist[1] < SHOULDER:
        flip = -flip
    for shape in (_THUMB, _HAND):
        points = _placed([(x * size, y * size) for x, y in shape], wrist, angle, flip)
        path = blob(points)
        canvas.fill(path, skin, Part.PERSON, edge)
    if body.view != "back":
        for x in (-0.025, 0.025):
            gap = _placed([(x * size, 0.22 * size), (x * size * 0.8, 0.35 * size)], wrist, angle,
                          flip)  # fmt: skip
            canvas.stroke(line(gap), edge, 0.6, alpha=0.35)


def limb_path(points: list[Point], widths: list[float], ease: float) -> skia.Path:
    """A sleeve or trouser leg around a limb, `ease` heads wider than it."""
    return ribbon(points, [width + ease for width in widths])


def symmetric(body: Body, right: list[Point]) -> list[Point]:
    """The left side that belongs to a right one, bent as the body is, in reverse."""
    return [mirrored([point], body.centre(point[1]))[0] for point in reversed(right)]
