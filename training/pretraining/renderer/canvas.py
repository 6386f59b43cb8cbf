"""A supersampled drawing surface in body coordinates, and the curves drawn on it.

Body coordinates are measured in heads: x = 0 is the line of symmetry, y = 0 the top of the
head, y = 8 the ground. Everything is drawn several times larger than wanted and averaged down,
which is what anti-aliases it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.pretraining.renderer.attributes import Rgb

WIDTH: Final = 128
HEIGHT: Final = 192
SUPERSAMPLING: Final = 3

Point = tuple[float, float]
Curve = NDArray[np.float64]

_STEPS: Final = 6
_T: Final = np.arange(_STEPS) / _STEPS
#: Catmull-Rom blending of four neighbouring points, shape (_STEPS, 4).
_BLEND: Final = np.stack(
    [
        (-_T + 2 * _T**2 - _T**3) / 2,
        (2 - 5 * _T**2 + 3 * _T**3) / 2,
        (_T + 4 * _T**2 - 3 * _T**3) / 2,
        (-(_T**2) + _T**3) / 2,
    ],
    axis=1,
)


def smooth(points: Sequence[Point], *, closed: bool = True) -> Curve:
    """A Catmull-Rom curve through the points, shape (n, 2)."""
    values = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.concatenate([values[-1:], values, values[:2]])
    else:
        padded = np.concatenate([values[:1], values, values[-1:]])
    windows = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)], axis=1)
    curve = np.einsum("sk,nkd->nsd", _BLEND, windows).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, values[-1:]])


def polygon(points: Sequence[Point]) -> Curve:
    """A closed outline with straight sides, shape (n, 2)."""
    return np.asarray(points, dtype=np.float64)


def ribbon(points: Sequence[Point], widths: Sequence[float]) -> Curve:
    """The outline of a limb: a smooth centre line with a width (heads) at each point."""
    line = smooth(points, closed=False)
    at = np.linspace(0, len(points) - 1, len(line))
    half = np.interp(at, np.arange(len(points)), np.asarray(widths) / 2)[:, None]
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return np.concatenate([line + normal * half, (line - normal * half)[::-1]])


@dataclass
class Canvas:
    """An RGB image under construction, its view of the body, and the garment's mask.

    `unit` is the size of one head in pixels of 128x192, `origin` the pixel of body (0, 0) there;
    `zoom` makes the same picture so many times larger.
    While `recording`, textured outlines belong to the garment; anything else hides it.
    """

    unit: float
    origin: Point
    fill: Rgb = (255, 255, 255)
    recording: bool = True
    zoom: int = 1
    image: Image.Image = field(init=False)
    mask: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        size = (WIDTH * self.factor, HEIGHT * self.factor)
        self.image = Image.new("RGB", size, self.fill)
        self.mask = Image.new("L", size, 0)
        self._draw = ImageDraw.Draw(self.image)
        self._mask_draw = ImageDraw.Draw(self.mask)

    @property
    def factor(self) -> int:
        """Supersampled pixels per pixel of 128x192."""
        return SUPERSAMPLING * self.zoom

    @property
    def scale(self) -> float:
        """Supersampled pixels per head."""
        return self.unit * self.factor

    def to_pixels(self, points: Curve | Sequence[Point]) -> list[Point]:
        """Body coordinates → supersampled pixels."""
        values = np.asarray(points, dtype=np.float64) * self.scale
        values += np.asarray(self.origin) * self.factor
        return [(float(x), float(y)) for x, y in values]

    def polygon(self, outline: Curve, fill: Rgb, edge: Rgb | None = None) -> None:
        """Fill an outline; with `edge`, draw its contour as a thin line too."""
        pixels = self.to_pixels(outline)
        self._draw.polygon(pixels, fill=fill)
        self._mask_draw.polygon(pixels, fill=0)
        if edge is not None:
            self._draw.line([*pixels, pixels[0]], fill=edge, width=3 * self.zoom, joint="curve")

    def textured(self, outline: Curve, texture: Image.Image, edge: Rgb | None = None) -> None:
        """Fill an outline with a texture the size of the canvas, and record it in the mask."""
        pixels = self.to_pixels(outline)
        piece = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(piece).polygon(pixels, fill=255)
        self.image.paste(texture, mask=piece)
        self._mask_draw.polygon(pixels, fill=255 if self.recording else 0)
        if edge is not None:
            self._draw.line([*pixels, pixels[0]], fill=edge, width=3 * self.zoom, joint="curve")

    def line(self, points: Curve | Sequence[Point], fill: Rgb, width: float) -> None:
        """An open line of a width in pixels of 128x192."""
        pixels = self.to_pixels(points)
        thickness = max(1, round(width * self.factor))
        self._draw.line(pixels, fill=fill, width=thickness, joint="curve")

    def ellipse(self, centre: Point, radii: Point, fill: Rgb, edge: Rgb | None = None) -> None:
        """An axis-aligned ellipse; centre and radii in heads."""
        angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        outline = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii + centre
        self.polygon(outline, fill, edge)

    def finish(self) -> tuple[Image.Image, Image.Image]:
        """The averaged-down picture (RGB) and garment mask (L), 128x192 times `zoom` both."""
        return self.image.reduce(SUPERSAMPLING), self.mask.reduce(SUPERSAMPLING)
