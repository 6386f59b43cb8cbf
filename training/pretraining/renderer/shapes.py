"""Curves in body coordinates, as Skia paths.

Body coordinates are measured in heads of an adult: x = 0 is the line of symmetry, y = 0 the top
of the head, y = 1 the chin, y = 7 the ground.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import skia

Point = tuple[float, float]


def _spline(path: skia.Path, points: Sequence[Point], *, closed: bool) -> None:
    """Append a Catmull-Rom curve through the points, as cubic Béziers; its start is drawn to."""
    count = len(points)
    last = count if closed else count - 1
    for index in range(last):
        x1, y1 = points[index]
        x2, y2 = points[(index + 1) % count]
        x0, y0 = points[index - 1] if closed or index > 0 else (x1, y1)
        after = (index + 2) % count if closed else min(index + 2, count - 1)
        x3, y3 = points[after]
        path.cubicTo(
            x1 + (x2 - x0) / 6, y1 + (y2 - y0) / 6,
            x2 - (x3 - x1) / 6, y2 - (y3 - y1) / 6,
            x2, y2,
        )  # fmt: skip


def blob(points: Sequence[Point]) -> skia.Path:
    """A closed smooth outline."""
    path = skia.Path()
    path.moveTo(*points[0])
    _spline(path, points, closed=True)
    path.close()
    return path


def joined(first: skia.Path, second: skia.Path) -> skia.Path:
    """The outline of both together."""
    return _combined(first, second, skia.kUnion_PathOp)


def crossing(first: skia.Path, second: skia.Path) -> skia.Path:
    """What lies in both."""
    return _combined(first, second, skia.kIntersect_PathOp)


def _combined(first: skia.Path, second: skia.Path, operation: skia.PathOp) -> skia.Path:
    # Skia's tolerances are meant for pixels: with heads as the unit it gives up on one pair of
    # outlines in some ten thousand.
    pixels = skia.Matrix.Scale(64, 64)
    enlarged = []
    for path in (first, second):
        copy = skia.Path(path)
        copy.transform(pixels)
        enlarged.append(copy)
    result = skia.Op(*enlarged, operation)
    result.transform(skia.Matrix.Scale(1 / 64, 1 / 64))
    return result


def line(points: Sequence[Point]) -> skia.Path:
    """An open smooth line."""
    path = skia.Path()
    path.moveTo(*points[0])
    _spline(path, points, closed=False)
    return path


def outline(*sides: Sequence[Point]) -> skia.Path:
    """A closed outline of smooth sides that meet in corners; a side of two points is straight."""
    path = skia.Path()
    path.moveTo(*sides[0][0])
    for index, side in enumerate(sides):
        if index > 0:
            path.lineTo(*side[0])
        _spline(path, side, closed=False)
    path.close()
    return path


def polygon(points: Sequence[Point]) -> skia.Path:
    """A closed outline with straight sides."""
    path = skia.Path()
    path.addPoly([skia.Point(*point) for point in points], True)
    return path


def ellipse(centre: Point, radii: Point, tilt: float = 0.0) -> skia.Path:
    """An ellipse, tilted by degrees."""
    (x, y), (rx, ry) = centre, radii
    path = skia.Path()
    path.addOval(skia.Rect(x - rx, y - ry, x + rx, y + ry))
    if tilt:
        path.transform(skia.Matrix().setRotate(tilt, x, y))
    return path


def sides(points: Sequence[Point], widths: Sequence[float]) -> tuple[list[Point], list[Point]]:
    """Both edges of a band along a line, with a width at each point."""
    left: list[Point] = []
    right: list[Point] = []
    for index, ((x, y), width) in enumerate(zip(points, widths, strict=True)):
        x0, y0 = points[max(index - 1, 0)]
        x1, y1 = points[min(index + 1, len(points) - 1)]
        dx, dy = x1 - x0, y1 - y0
        size = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / size * width / 2, dx / size * width / 2
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left, right


def ribbon(points: Sequence[Point], widths: Sequence[float]) -> skia.Path:
    """A band along a smooth line with straight ends: a limb, a sleeve, a strap."""
    left, right = sides(points, widths)
    return outline(left, right[::-1])


def towards(start: Point, end: Point, share: float) -> Point:
    """The point at a share of the way."""
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def cut(points: Sequence[Point], widths: Sequence[float], share: float,
        start: float = 0.0) -> tuple[list[Point], list[float]]:  # fmt: skip
    """The part of a band between two shares of its length."""
    lengths = [math.dist(a, b) for a, b in pairwise(points)]
    total = sum(lengths)
    first, last = start * total, share * total
    kept: list[Point] = []
    spread: list[float] = []
    at = 0.0
    for index, length in enumerate(lengths):
        for edge in (first, last):
            if at <= edge <= at + length and (edge == first) == (not kept):
                part = (edge - at) / (length or 1.0)
                kept.append(towards(points[index], points[index + 1], part))
                spread.append(widths[index] + (widths[index + 1] - widths[index]) * part)
        at += length
        if kept and at < last - 1e-6 and index + 1 < len(points) - 1:
            kept.append(points[index + 1])
            spread.append(widths[index + 1])
        if at >= last:
            break
    return kept, spread


def mirrored(points: Sequence[Point], about: float = 0.0) -> list[Point]:
    """The points on the other side of a vertical line, in reverse, so as to close an outline."""
    return [(2 * about - x, y) for x, y in reversed(points)]
