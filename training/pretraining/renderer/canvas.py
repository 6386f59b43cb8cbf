"""A drawing surface in body coordinates, and the exact masks of what is drawn on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import numpy as np
import skia
from numpy.typing import NDArray
from PIL import Image

from training.pretraining.renderer.attributes import Rgb
from training.pretraining.renderer.shapes import Point

WIDTH: Final = 128
HEIGHT: Final = 192
#: Drawn so many times larger and averaged down: edges that touch leave no seam between them.
SUPERSAMPLING: Final = 2


class Part(Enum):
    """What a shape belongs to, which decides the masks."""

    PERSON = "person"
    GARMENT = "garment"
    CARRIED = "carried"
    PROP = "prop"


@dataclass(frozen=True, slots=True)
class Masks:
    """Exact masks, each (height, width) uint8, 255 inside, anti-aliased.

    Attributes:
        foreground: everything that is not background; cast shadows are background.
        person: the person with all clothes and shoes, without a bag.
        garment: what can be seen of the product.
    """

    foreground: NDArray[np.uint8]
    person: NDArray[np.uint8]
    garment: NDArray[np.uint8]


def argb(rgb: Rgb, alpha: float = 1.0) -> int:
    """Skia's form of a colour."""
    return round(alpha * 255) << 24 | rgb[0] << 16 | rgb[1] << 8 | rgb[2]


@dataclass
class Canvas:
    """A picture under construction.

    Attributes:
        unit: size of one head in pixels of 128x192.
        origin: the pixel of body (0, 0) there.
        zoom: makes the same picture so many times larger.
        light: where the light comes from: -1 left, 1 right.
        shading: how strongly forms are shaded.
    """

    unit: float
    origin: Point
    zoom: int = 1
    light: float = -1.0
    shading: float = 1.0
    pixels: NDArray[np.uint8] = field(init=False)
    _draw: Any = field(init=False)
    _masks: dict[str, tuple[NDArray[np.uint8], Any]] = field(init=False)
    #: Masks that are not empty, so that something can be taken away from them.
    _begun: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.pixels = np.full((HEIGHT * self.factor, WIDTH * self.factor, 4), 255, dtype=np.uint8)
        self._draw = skia.Surface(self.pixels).getCanvas()
        self._draw.scale(self.factor, self.factor)
        self._in_pixels = self._draw.getTotalMatrix()
        self._masks = {}
        for name in Masks.__slots__:
            # Masks need no supersampling: how much of a pixel a shape covers is computed.
            values = np.zeros((HEIGHT * self.zoom, WIDTH * self.zoom), dtype=np.uint8)
            canvas = skia.Surface(values, colorType=skia.kAlpha_8_ColorType).getCanvas()
            canvas.scale(self.zoom, self.zoom)
            self._masks[name] = (values, canvas)
        for one in self._canvases:
            one.translate(*self.origin)
            one.scale(self.unit, self.unit)

    @property
    def factor(self) -> int:
        """Drawn pixels per pixel of 128x192."""
        return SUPERSAMPLING * self.zoom

    @property
    def _canvases(self) -> list[Any]:
        return [self._draw, *(canvas for _, canvas in self._masks.values())]

    @contextmanager
    def placed(self, matrix: skia.Matrix, within: skia.Rect | None = None) -> Iterator[None]:
        """Move, turn or scale what is drawn in the block; only what lies `within` is drawn."""
        for one in self._canvases:
            one.save()
            one.concat(matrix)
            if within is not None:
                one.clipRect(within)
        yield
        for one in self._canvases:
            one.restore()

    def backdrop(self, path: skia.Path, paint: skia.Paint) -> None:
        """Draw something of the background, in pixels of 128x192."""
        self._draw.save()
        self._draw.setMatrix(self._in_pixels)
        self._draw.drawPath(path, paint)
        self._draw.restore()

    def fill(self, path: skia.Path, fill: Rgb | skia.Shader, part: Part,
             edge: Rgb | None = None) -> None:  # fmt: skip
        """Fill an outline and take it into the masks; `edge` draws a soft contour too."""
        paint = skia.Paint(AntiAlias=True)
        if isinstance(fill, tuple):
            paint.setColor(argb(fill))
        else:
            paint.setShader(fill)
        self._draw.drawPath(path, paint)
        inside = {
            "foreground": True,
            "person": part in {Part.PERSON, Part.GARMENT},
            "garment": part in {Part.GARMENT, Part.CARRIED},
        }
        for name, (_, mask) in self._masks.items():
            if inside[name]:
                mask.drawPath(path, _INSIDE)
                self._begun.add(name)
            elif name in self._begun:
                mask.drawPath(path, _OUTSIDE)
        if edge is not None:
            self.stroke(path, edge, 0.7, alpha=0.55)

    def shade(self, path: skia.Path, rgb: Rgb, alpha: float, *, within: skia.Path | None = None,
              blur: float = 0.0) -> None:  # fmt: skip
        """Tint what has been drawn, only inside `within`; blur in heads. Masks stay as they are."""
        paint = skia.Paint(AntiAlias=True, Color=argb(rgb, alpha))
        if blur > 0:
            paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
        if within is not None:
            self._draw.save()
            self._draw.clipPath(within, skia.ClipOp.kIntersect, True)
        self._draw.drawPath(path, paint)
        if within is not None:
            self._draw.restore()

    def model(self, path: skia.Path, dark: Rgb, strength: float = 1.0) -> None:
        """Shade a rounded form: brighter towards the light, darker away from it."""
        bounds = path.getBounds()
        near, far = bounds.left(), bounds.right()
        if self.light > 0:
            near, far = far, near
        amount = strength * self.shading
        shader = skia.GradientShader.MakeLinear(
            [(near, 0), (far, 0)],
            [argb((255, 255, 255), 0.08 * amount), argb(dark, 0.0), argb(dark, 0.0),
             argb(dark, min(0.5, 0.26 * amount))],
            [0.0, 0.3, 0.55, 1.0],
        )  # fmt: skip
        self._draw.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))

    def stroke(self, path: skia.Path, rgb: Rgb, width: float, alpha: float = 1.0) -> None:
        """Draw a line of a width in pixels of 128x192 at 22 pixels a head, wider when nearer."""
        size = width / self.unit * max(1.0, (self.unit / 22) ** 0.75)
        paint = skia.Paint(
            AntiAlias=True,
            Color=argb(rgb, alpha),
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=size,
            StrokeCap=skia.Paint.kRound_Cap,
            StrokeJoin=skia.Paint.kRound_Join,
        )
        self._draw.drawPath(path, paint)

    def finish(self) -> tuple[Image.Image, Masks]:
        """The averaged-down picture (RGB) and its masks, 128x192 times `zoom` all."""
        picture = Image.fromarray(self.pixels).reduce(SUPERSAMPLING).convert("RGB")
        masks = {name: values for name, (values, _) in self._masks.items()}
        return picture, Masks(**masks)


_INSIDE: Final = skia.Paint(AntiAlias=True, Color=0xFFFFFFFF)
_OUTSIDE: Final = skia.Paint(AntiAlias=True, Color=0xFFFFFFFF, BlendMode=skia.BlendMode.kDstOut)
