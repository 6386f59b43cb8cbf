"""Where a body is: its contours and joints, by body type, sex, pose and view."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from training.pretraining.renderer.attributes import Scene
from training.pretraining.renderer.shapes import Point

#: Heights of an adult in heads.
NECK, SHOULDER, ARMPIT, BUST, WAIST, HIPS, CROTCH = 1.26, 1.44, 1.92, 2.06, 2.68, 3.42, 3.66
KNEE, ANKLE, GROUND = 5.12, 6.66, 7.0


@dataclass(frozen=True, slots=True)
class Build:
    """Half widths of the trunk and full widths of the limbs, in heads."""

    shoulder: float
    chest: float
    waist: float
    hips: float
    arm: float
    leg: float
    neck: float


_BUILDS: Final[dict[str, Build]] = {
    "woman": Build(0.76, 0.58, 0.45, 0.66, 0.29, 0.57, 0.17),
    "man": Build(0.93, 0.71, 0.60, 0.62, 0.34, 0.59, 0.22),
}
_CHILD: Final = Build(0.74, 0.57, 0.53, 0.58, 0.30, 0.54, 0.17)
#: Factors on shoulder, chest, waist, hips, arm, leg.
_TYPES: Final[dict[str, tuple[float, ...]]] = {
    "slim": (0.92, 0.87, 0.80, 0.85, 0.78, 0.77),
    "average": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "athletic": (1.17, 1.14, 0.96, 0.97, 1.26, 1.10),
    "curvy": (1.02, 1.14, 0.98, 1.32, 1.12, 1.26),
    "plus-size": (1.16, 1.38, 1.66, 1.48, 1.42, 1.44),
}


def build_of(scene: Scene) -> Build:
    """The measures of a scene's person."""
    base = _CHILD if scene.age == "child" else _BUILDS[scene.subject]
    factors = _TYPES[scene.body]
    shoulder, chest, waist, hips, arm, leg = factors
    return Build(
        base.shoulder * shoulder, base.chest * chest, base.waist * waist, base.hips * hips,
        base.arm * arm, base.leg * leg, base.neck * (1 + (arm - 1) * 0.5),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limb:
    """Joints: shoulder, elbow, wrist, or hip, knee, ankle; `side` is -1 left, 1 right on x."""

    joints: tuple[Point, Point, Point]
    side: int
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A posed body, seen from `view`; a side view looks towards +x.

    Attributes:
        build: its measures.
        arms, legs: the farther one first.
        view: front, back or side.
        knots: height → x of left and of right contour of the trunk.
        shift: how far the hips are moved to one side.
        laid: it is not a body, but the form of a garment that lies flat.
    """

    build: Build
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    view: str
    knots: tuple[tuple[float, float, float], ...]
    shift: float = 0.0
    laid: bool = False

    @property
    def profile(self) -> bool:
        """Whether it is seen from the side."""
        return self.view == "side"

    def left(self, y: float) -> float:
        """X of the left contour (the back, seen from the side) at a height."""
        return self._at(y, 1)

    def right(self, y: float) -> float:
        """X of the right contour (the front, seen from the side) at a height."""
        return self._at(y, 2)

    def centre(self, y: float) -> float:
        """X of the middle between both contours at a height."""
        return (self.left(y) + self.right(y)) / 2

    def half(self, y: float) -> float:
        """Half the width between both contours at a height."""
        return (self.right(y) - self.left(y)) / 2

    def _at(self, y: float, column: int) -> float:
        knots = self.knots
        if y <= knots[0][0]:
            return knots[0][column]
        for before, after in pairwise(knots):
            if y <= after[0]:
                share = (y - before[0]) / (after[0] - before[0])
                eased = share * share * (3 - 2 * share)
                return before[column] + (after[column] - before[column]) * eased
        return knots[-1][column]


#: Elbow and wrist relative to the shoulder joint; outwards is positive.
_DOWN: Final = ((0.13, 1.13), (0.15, 2.10))
_EASY: Final = ((0.24, 1.10), (0.30, 2.02))
_ON_HIP: Final = ((0.62, 0.94), (0.06, 1.60))
_SWING: Final = ((0.22, 1.10), (0.42, 1.98))
_RAISED: Final = ((0.62, 0.46), (0.66, -0.56))
_ARMS: Final = {
    "standing": (_DOWN, _DOWN),
    "relaxed": (_EASY, _DOWN),
    "walking": (_SWING, _DOWN),
    "hand on hip": (_ON_HIP, _DOWN),
    "hands on hips": (_ON_HIP, _ON_HIP),
    "waving": (_RAISED, _EASY),
}
#: Knee and ankle x of the first and the second leg (outwards positive), hip shift.
_LEGS: Final = {
    "standing": ((0.29, 0.25), (0.29, 0.25), 0.0),
    "relaxed": ((0.27, 0.20), (0.38, 0.48), 0.06),
    "walking": ((0.22, 0.02), (0.33, 0.30), 0.05),
    "hand on hip": ((0.27, 0.18), (0.40, 0.50), 0.07),
    "hands on hips": ((0.40, 0.48), (0.40, 0.48), 0.0),
    "waving": ((0.27, 0.20), (0.34, 0.38), 0.05),
}
#: Elbow, wrist of the far and of the near arm, and knee, ankle of both legs, facing +x.
_SIDE_ARMS: Final = {
    "standing": (((-0.06, 1.12), (0.10, 2.06)), ((-0.10, 1.12), (0.04, 2.08))),
    "walking": (((0.34, 1.06), (0.78, 1.84)), ((-0.34, 1.04), (-0.46, 1.98))),
    "hand on hip": (((-0.06, 1.12), (0.10, 2.06)), ((-0.56, 0.88), (0.02, 1.62))),
}
_SIDE_LEGS: Final = {
    "standing": ((0.07, 0.04), (0.0, -0.06)),
    "walking": ((-0.10, -0.52), (0.26, 0.42)),
    "hand on hip": ((0.12, 0.16), (0.0, -0.06)),
}


def pose_body(scene: Scene) -> Body:
    """The body of a scene's person in its pose; a side view looks to the right."""
    build = build_of(scene)
    rng = random.Random(scene.jitter_seed)
    if scene.view == "side":
        return _from_the_side(build, scene, rng)
    sides = (1, -1) if scene.mirrored else (-1, 1)
    left, right, shift = _LEGS[scene.pose]
    shift *= sides[0]
    return Body(
        build=build,
        arms=_both_arms(build, _ARMS[scene.pose], sides, rng),
        legs=_both_legs(build, (left, right), sides, shift, rng),
        view=scene.view,
        knots=trunk_knots(build, shift),
        shift=shift,
    )


def trunk_knots(build: Build, shift: float = 0.0) -> tuple[tuple[float, float, float], ...]:
    """Contours of a trunk seen from front or back."""
    widths = (
        (ARMPIT, build.chest, 0.0),
        (BUST, build.chest, 0.0),
        (WAIST, build.waist, 0.4),
        (HIPS, build.hips, 1.0),
        (CROTCH + 0.2, build.hips * 0.97, 1.0),
    )
    return tuple((y, shift * sway - half, shift * sway + half) for y, half, sway in widths)


def _both_arms(build: Build, offsets: tuple[tuple[Point, Point], ...], sides: tuple[int, int],
               rng: random.Random) -> tuple[Limb, Limb]:  # fmt: skip
    arms = []
    for side, (elbow, wrist) in zip(sides, offsets, strict=True):
        x, y = side * (build.shoulder - build.arm * 0.46), SHOULDER + 0.15
        # Wide hips push hanging arms outwards, and a hand on them meets them where they are.
        room = max(0.0, build.hips - build.shoulder + 0.10) if wrist[1] > 1.9 else 0.0
        onto = 0.0
        if wrist[1] == _ON_HIP[1][1]:
            onto = build.waist + 0.16 - (build.shoulder - build.arm * 0.46) - wrist[0]
        joints = (
            (x, y),
            (x + side * (elbow[0] + room * 0.5 + rng.uniform(-0.02, 0.03)), y + elbow[1]),
            (x + side * (wrist[0] + room + onto + rng.uniform(-0.02, 0.03)), y + wrist[1]),
        )
        arms.append(Limb(joints, side))
    return arms[0], arms[1]


def _both_legs(build: Build, offsets: tuple[Point, Point], sides: tuple[int, int], shift: float,
               rng: random.Random) -> tuple[Limb, Limb]:  # fmt: skip
    legs = []
    for side, (knee, ankle) in zip(sides, offsets, strict=True):
        hip = side * (build.hips - build.leg * 0.5 + 0.01) + shift
        wider = max(0.0, build.leg - 0.57) * 0.35
        joints = (
            (hip, CROTCH - 0.08),
            (side * (knee + wider + rng.uniform(-0.015, 0.015)) + shift * 0.5, KNEE),
            (side * (ankle + wider), ANKLE),
        )
        legs.append(Limb(joints, side))
    return legs[0], legs[1]


def _from_the_side(build: Build, scene: Scene, rng: random.Random) -> Body:
    deep = 0.5 + 0.5 * build.waist / 0.48
    man = scene.subject == "man"
    bust = build.chest * (0.54 if scene.age == "child" else 0.60 if man else 0.68)
    knots = (
        (NECK + 0.08, -0.20, 0.12),
        (SHOULDER + 0.16, -0.34, 0.24),
        (BUST, -0.38, bust),
        (2.32, -0.30, bust * (0.86 if man else 0.72)),
        (WAIST, -0.22 * deep, 0.28 * deep + 0.02),
        (3.0, -0.33 * deep, 0.33 * deep),
        (3.3, -0.48 * build.hips / 0.66, 0.34 * deep),
        (HIPS + 0.06, -0.50 * build.hips / 0.66, 0.32 * deep),
        (CROTCH + 0.3, -0.40 * build.hips / 0.66, 0.26 * deep),
    )
    offsets = _SIDE_ARMS[scene.pose]
    arms = []
    for far, (elbow, wrist) in zip((True, False), offsets, strict=True):
        x, y = (0.02 if far else -0.05), SHOULDER + 0.2
        swing = rng.uniform(-0.02, 0.02)
        arms.append(
            Limb(((x, y), (x + elbow[0], y + elbow[1]), (x + wrist[0] + swing, y + wrist[1])), 1)
        )
    legs = []
    for knee, ankle in _SIDE_LEGS[scene.pose]:
        legs.append(Limb(((-0.10, CROTCH - 0.1), (knee - 0.06, KNEE), (ankle - 0.10, ANKLE)), 1))
    return Body(build, (arms[0], arms[1]), (legs[0], legs[1]), "side", knots)


def flat_form(*, spread: float, subject: str = "woman") -> Body:
    """The form of a garment without a body in it; `spread` 0 lets its sleeves hang, 1 spreads."""
    build = Build(0.86, 0.66, 0.58, 0.70, 0.34, 0.62, 0.2)
    if subject == "man":
        build = Build(0.92, 0.72, 0.66, 0.68, 0.35, 0.62, 0.21)
    arms = []
    for side in (-1, 1):
        x, y = side * (build.shoulder - 0.15), SHOULDER + 0.15
        out, down = 0.16 + 0.36 * spread, 1.06 - 0.16 * spread
        joints = ((x, y), (x + side * out, y + down), (x + side * out * 1.8, y + down * 1.88))
        arms.append(Limb(joints, side))
    legs = []
    for side in (-1, 1):
        foot = side * (0.34 + 0.12 * spread)
        legs.append(Limb(((side * 0.36, CROTCH - 0.08), (side * 0.37, KNEE), (foot, ANKLE)), side))
    return Body(
        build, (arms[0], arms[1]), (legs[0], legs[1]), "front", trunk_knots(build), laid=True
    )
