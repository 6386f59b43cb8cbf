"""The person: a skeleton per pose, and how body, head and hair are drawn on it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from training.pretraining.renderer.attributes import (
    HAIR_COLOURS,
    SKIN_TONES,
    Rgb,
    Scene,
    luminance,
    mix,
)
from training.pretraining.renderer.canvas import Canvas, Curve, Point, ribbon, smooth


@dataclass(frozen=True, slots=True)
class Arm:
    """The joints of an arm, from shoulder to wrist."""

    shoulder: Point
    elbow: Point
    wrist: Point


@dataclass(frozen=True, slots=True)
class Leg:
    """The joints of a leg, from hip to ankle."""

    hip: Point
    knee: Point
    ankle: Point


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints in heads. `chest`, `waist` and `hips` are half widths of the torso."""

    arms: tuple[Arm, Arm]
    legs: tuple[Leg, Leg]
    shoulder: float
    chest: float
    waist: float
    hips: float
    shift: float = 0.0
    limb: float = 1.0


#: Elbow and wrist relative to the shoulder (outwards is positive), for each arm of a pose.
_DOWN: Final = ((0.16, 1.32), (0.20, 2.50))
_EASY: Final = ((0.30, 1.26), (0.34, 2.42))
_ON_HIP: Final = ((0.66, 1.12), (0.04, 2.02))
_RAISED: Final = ((0.92, -0.30), (0.30, -1.12))
_SWING_OUT: Final = ((0.26, 1.28), (0.52, 2.36))
_ARMS: Final = {
    "standing": (_DOWN, _DOWN),
    "hand on hip": (_ON_HIP, _DOWN),
    "hands on hips": (_ON_HIP, _ON_HIP),
    "walking": (_SWING_OUT, _DOWN),
    "relaxed": (_EASY, _EASY),
    "arm raised": (_RAISED, _EASY),
}
#: Knee and ankle x of the left and right leg (outwards positive), hip shift.
_LEGS: Final = {
    "standing": ((0.34, 0.32), (0.34, 0.32), 0.0),
    "hand on hip": ((0.36, 0.28), (0.46, 0.62), 0.07),
    "hands on hips": ((0.46, 0.56), (0.46, 0.56), 0.0),
    "walking": ((0.20, 0.02), (0.40, 0.42), 0.06),
    "relaxed": ((0.36, 0.40), (0.38, 0.36), -0.04),
    "arm raised": ((0.30, 0.18), (0.44, 0.54), 0.06),
}


def _arm(side: int, shoulder: float, offsets: tuple[Point, Point], rng: random.Random) -> Arm:
    top = (side * (shoulder - 0.06), 1.62)
    joints = [
        (top[0] + side * (x + rng.uniform(-0.04, 0.04)), top[1] + y + rng.uniform(-0.03, 0.03))
        for x, y in offsets
    ]
    return Arm(top, joints[0], joints[1])


def build_skeleton(scene: Scene) -> Skeleton:
    """The joints of a scene's person in its pose."""
    rng = random.Random(scene.jitter_seed)
    man = scene.subject == "man"
    shoulder, chest, waist, hips = (0.98, 0.80, 0.68, 0.70) if man else (0.82, 0.66, 0.52, 0.74)
    first, second = _ARMS[scene.pose]
    left, right, shift = _LEGS[scene.pose]
    sides = (1, -1) if scene.mirrored else (-1, 1)
    arms = (_arm(sides[0], shoulder, first, rng), _arm(sides[1], shoulder, second, rng))
    legs = []
    for side, (knee, ankle) in zip(sides, (left, right), strict=True):
        legs.append(
            Leg(
                hip=(side * 0.36 + sides[0] * shift, 4.0),
                knee=(side * (knee + rng.uniform(-0.02, 0.02)), 5.75),
                ankle=(side * ankle, 7.5),
            )
        )
    return Skeleton(
        arms=arms,
        legs=(legs[0], legs[1]),
        shoulder=shoulder,
        chest=chest,
        waist=waist,
        hips=hips,
        shift=sides[0] * shift,
        limb=1.1 if man else 1.0,
    )


def torso(skeleton: Skeleton, ease: float, top: float, bottom: float) -> Curve:
    """The outline of the trunk with `ease` heads of room, from y `top` to y `bottom`."""
    levels = ((1.45, 0.62), (1.6, 1.0), (2.2, None), (3.05, None), (3.9, None), (4.4, None))
    shift = skeleton.shift
    half = {
        2.2: skeleton.chest,
        3.05: skeleton.waist,
        3.9: skeleton.hips,
        4.4: skeleton.hips * 0.98,
    }
    right: list[Point] = []
    for y, share in levels:
        width = skeleton.shoulder * share if share is not None else half[y]
        if top - 1e-6 <= y <= bottom - 0.1:
            sway = shift * min(1.0, max(0.0, (y - 2.0) / 2.0))
            right.append((width + (ease if y > 1.5 else 0.0) + sway, y))
    last = right[-1]
    right.append((last[0], bottom))
    left = [(-x + 2 * shift * min(1.0, max(0.0, (y - 2.0) / 2.0)), y) for x, y in right]
    return smooth(right + left[::-1])


def arm_outline(skeleton: Skeleton, arm: Arm, *, share: float = 1.0, ease: float = 0.0) -> Curve:
    """The outline of an arm from the shoulder along `share` of its length."""
    middle = ((arm.shoulder[0] + arm.elbow[0]) / 2, (arm.shoulder[1] + arm.elbow[1]) / 2)
    points = [arm.shoulder, middle, arm.elbow, arm.wrist]
    widths = [0.40, 0.38, 0.29, 0.20]
    if share < 1.0:
        points, widths = _cut(points, widths, share)
    return ribbon(points, [(width * skeleton.limb + ease) for width in widths])


def leg_outline(leg: Leg, widths: tuple[float, float, float], *, share: float = 1.0) -> Curve:
    """The outline of a leg with widths at hip, knee and ankle, along `share` of its length."""
    above = ((leg.hip[0] + leg.knee[0]) / 2, (leg.hip[1] + leg.knee[1]) / 2)
    below = (leg.knee[0] * 0.6 + leg.ankle[0] * 0.4, leg.knee[1] * 0.6 + leg.ankle[1] * 0.4)
    calf = widths[1] * 0.55 + widths[2] * 0.45 + 0.06 * (widths[1] < 0.5)
    points = [leg.hip, above, leg.knee, below, leg.ankle]
    spread = [widths[0], (widths[0] + widths[1]) / 2, widths[1], calf, widths[2]]
    if share < 1.0:
        points, spread = _cut(points, spread, share)
    return ribbon(points, spread)


def _cut(points: list[Point], widths: list[float], share: float) -> tuple[list[Point], list[float]]:
    """The first `share` of a polyline, measured in its segments."""
    at = share * (len(points) - 1)
    whole = int(at)
    rest = at - whole
    head, spread = points[: whole + 1], widths[: whole + 1]
    if rest > 0.02:
        (x0, y0), (x1, y1) = points[whole], points[whole + 1]
        head = [*head, (x0 + (x1 - x0) * rest, y0 + (y1 - y0) * rest)]
        spread = [*spread, widths[whole] + (widths[whole + 1] - widths[whole]) * rest]
    return head, spread


def skin_edge(skin: Rgb) -> Rgb:
    """The contour colour of skin."""
    return mix(skin, (70, 30, 20), 0.32)


def draw_legs(canvas: Canvas, skeleton: Skeleton, skin: Rgb, shoes: Rgb) -> None:
    """Bare legs and shoes."""
    edge = skin_edge(skin)
    limb = skeleton.limb
    for leg in skeleton.legs:
        canvas.polygon(leg_outline(leg, (0.72, 0.46 * limb, 0.25 * limb)), skin, edge)
        x, y = leg.ankle
        toe = 0.10 if x > 0 else -0.10
        shoe = smooth(
            [(x - 0.17, y - 0.1), (x + 0.17, y - 0.1), (x + 0.2 + toe / 2, y + 0.34),
             (x + toe, y + 0.46), (x - 0.2 + toe / 2, y + 0.34)]
        )  # fmt: skip
        canvas.polygon(
            shoe, shoes, mix(shoes, (0, 0, 0) if luminance(shoes) > 90 else (150, 150, 150), 0.35)
        )


def draw_trunk(canvas: Canvas, skeleton: Skeleton, skin: Rgb) -> None:
    """Bare trunk and neck."""
    canvas.polygon(torso(skeleton, 0.0, 1.45, 4.5), skin)
    edge = skin_edge(skin)
    neck = ribbon([(0, 0.8), (0, 1.25), (0, 1.62)], [0.36, 0.36, 0.66])
    canvas.polygon(neck, skin)
    canvas.line(smooth([(-0.16, 1.16), (0, 1.24), (0.16, 1.16)], closed=False), edge, 1.0)


def draw_arm(canvas: Canvas, skeleton: Skeleton, arm: Arm, skin: Rgb) -> None:
    """A bare arm with its hand."""
    edge = skin_edge(skin)
    canvas.polygon(arm_outline(skeleton, arm), skin, edge)
    dx, dy = arm.wrist[0] - arm.elbow[0], arm.wrist[1] - arm.elbow[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-6)
    dx, dy = dx / length, dy / length
    tip = (arm.wrist[0] + dx * 0.46, arm.wrist[1] + dy * 0.46)
    middle = (arm.wrist[0] + dx * 0.2, arm.wrist[1] + dy * 0.2)
    back = (arm.wrist[0] - dx * 0.05, arm.wrist[1] - dy * 0.05)
    canvas.polygon(ribbon([back, middle, tip], [0.19, 0.27, 0.1]), skin, edge)
    canvas.polygon(ribbon([(arm.wrist[0] - dx * 0.2, arm.wrist[1] - dy * 0.2), back, middle],
                          [0.18, 0.17, 0.19]), skin)  # fmt: skip


def draw_hair_back(canvas: Canvas, scene: Scene) -> None:
    """The hair that hangs behind head and shoulders."""
    hair = HAIR_COLOURS[scene.hair_colour]
    edge = mix(hair, (0, 0, 0), 0.3)
    side = -1 if scene.mirrored else 1
    if scene.hair_style == "long":
        outline = [(-0.42, 0.3), (0.0, 0.0), (0.42, 0.3), (0.56, 1.2), (0.62, 1.95), (0.3, 2.05),
                   (-0.3, 2.05), (-0.62, 1.95), (-0.56, 1.2)]  # fmt: skip
    elif scene.hair_style == "bob":
        outline = [(-0.44, 0.3), (0.0, 0.0), (0.44, 0.3), (0.54, 0.9), (0.46, 1.16), (0.0, 1.1),
                   (-0.46, 1.16), (-0.54, 0.9)]  # fmt: skip
    elif scene.hair_style == "ponytail":
        outline = [(side * x, y) for x, y in
                   [(0.1, 0.1), (0.52, 0.16), (0.74, 0.6), (0.72, 1.3), (0.56, 1.66), (0.5, 1.1),
                    (0.44, 0.6), (0.2, 0.4)]]  # fmt: skip
    elif scene.hair_style == "curly":
        canvas.ellipse((0, 0.44), (0.66, 0.58), hair, edge)
        return
    else:
        if scene.hair_style == "bun":
            canvas.ellipse((0, -0.08), (0.26, 0.22), hair, edge)
        return
    canvas.polygon(smooth(outline), hair, edge)


def draw_head(canvas: Canvas, scene: Scene) -> None:
    """Face, ears and the hair in front."""
    skin, hair = SKIN_TONES[scene.skin], HAIR_COLOURS[scene.hair_colour]
    edge = skin_edge(skin)
    for side in (-1, 1):
        canvas.ellipse((side * 0.37, 0.58), (0.07, 0.11), skin, edge)
    jaw = 0.26 if scene.subject == "man" else 0.21
    canvas.polygon(
        smooth([(0, 0.05), (0.34, 0.22), (0.37, 0.55), (jaw, 0.88), (0, 1.02), (-jaw, 0.88),
                (-0.37, 0.55), (-0.34, 0.22)]),
        skin, edge,
    )  # fmt: skip
    dark = (44, 32, 30)
    for side in (-1, 1):
        canvas.line([(side * 0.09, 0.45), (side * 0.23, 0.44)], mix(hair, dark, 0.6), 0.7)
        canvas.ellipse((side * 0.15, 0.55), (0.065, 0.05), (250, 250, 248))
        canvas.ellipse((side * 0.15, 0.55), (0.042, 0.05), dark)
    canvas.line([(0.0, 0.58), (0.035, 0.71), (-0.02, 0.72)], edge, 0.7)
    lips = mix(skin, (176, 40, 54), 0.62 if scene.subject == "woman" else 0.3)
    canvas.polygon(smooth([(-0.11, 0.82), (0, 0.80), (0.11, 0.82), (0, 0.87)]), lips)
    _draw_hair_front(canvas, scene, hair)


def _draw_hair_front(canvas: Canvas, scene: Scene, hair: Rgb) -> None:
    edge = mix(hair, (0, 0, 0), 0.3)
    side = -1 if scene.mirrored else 1
    if scene.hair_style == "curly":
        for x, y, radius in ((-0.34, 0.24, 0.2), (-0.12, 0.1, 0.2), (0.12, 0.1, 0.2),
                             (0.34, 0.24, 0.2)):  # fmt: skip
            canvas.ellipse((x, y), (radius, radius), hair)
        return
    low = 0.66 if scene.hair_style in {"long", "bob"} else 0.42
    fringe = [(-0.40, low), (-0.44, 0.3), (-0.28, 0.02), (0.0, -0.06), (0.28, 0.02), (0.44, 0.3),
              (0.40, low), (0.31, 0.36), (0.16, 0.24), (-0.08, 0.22), (-0.24, 0.30),
              (-0.32, 0.38)]  # fmt: skip
    canvas.polygon(smooth([(side * x, y) for x, y in fringe]), hair, edge)
