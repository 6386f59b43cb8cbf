"""Backgrounds and light: what stands behind the person, in pixels of 128x192."""

from __future__ import annotations

import random
from typing import Final

import skia

from training.pretraining.renderer.attributes import Rgb, Scene, mix
from training.pretraining.renderer.canvas import HEIGHT, WIDTH, Canvas, argb
from training.pretraining.renderer.shapes import Point, blob, ellipse, polygon

#: Wall and floor of the studios. White has neither seam nor shade, for cut-outs.
STUDIOS: Final[dict[str, tuple[Rgb, Rgb]]] = {
    "white": ((255, 255, 255), (255, 255, 255)),
    "grey": ((178, 180, 185), (160, 162, 168)),
    "beige": ((233, 217, 190), (219, 201, 170)),
    "blue": ((112, 160, 218), (90, 138, 200)),
    "pink": ((248, 200, 210), (238, 182, 196)),
}
#: What warm and cool light make of a background, and how strongly.
TINTS: Final[dict[str, Rgb]] = {"warm": (255, 176, 84), "cool": (96, 150, 255)}
_SHADE: Final[Rgb] = (30, 26, 44)


def _solid(rgb: Rgb, alpha: float = 1.0) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=argb(rgb, alpha))


def _box(left: float, top: float, right: float, bottom: float) -> skia.Path:
    return skia.Path().addRect(skia.Rect(left, top, right, bottom))


_ALL: Final = (0.0, 0.0, float(WIDTH), float(HEIGHT))


def paint(canvas: Canvas, scene: Scene, ground: float) -> None:
    """Paint a scene's background over the whole canvas.

    Args:
        canvas: an empty one.
        scene: names background and lighting.
        ground: y of the line where wall and floor or sky and earth meet, in pixels of 128x192.
    """
    rng = random.Random(scene.jitter_seed ^ 0xBAC)
    level = min(ground, HEIGHT + 40.0)
    if scene.background == "white":
        return
    if scene.background in STUDIOS:
        _studio(canvas, scene, level)
    else:
        _PLACES[scene.background](canvas, level, rng)
    _tint(canvas, scene)


def _gradient(points: tuple[Point, Point], colours: list[int]) -> skia.Paint:
    shader = skia.GradientShader.MakeLinear(list(points), colours)
    return skia.Paint(AntiAlias=True, Shader=shader)


def _studio(canvas: Canvas, scene: Scene, level: float) -> None:
    """A seamless paper: a pool of light on the wall that fades into the floor."""
    wall, floor = STUDIOS[scene.background]
    canvas.backdrop(_box(*_ALL), _solid(wall))
    sweep = _gradient(((0, level - 14), (0, level + 12)), [argb(floor, 0.0), argb(floor)])
    canvas.backdrop(_box(0, level - 14, WIDTH, HEIGHT), sweep)
    x = WIDTH * (0.5 + canvas.light * 0.18)
    pool = skia.GradientShader.MakeRadial(
        (x, HEIGHT * 0.36), HEIGHT * 0.62,
        [argb((255, 255, 255), 0.30), argb(wall, 0.0), argb(mix(wall, _SHADE, 0.6), 0.26)],
        [0.0, 0.52, 1.0],
    )  # fmt: skip
    canvas.backdrop(_box(*_ALL), skia.Paint(Shader=pool))


def _tint(canvas: Canvas, scene: Scene) -> None:
    """Warm and cool light colour the background; hard light draws a bright beam on it."""
    if scene.lighting in TINTS:
        tint = TINTS[scene.lighting]
        x = 0.0 if canvas.light < 0 else float(WIDTH)
        shade = _gradient(((x, 0.0), (WIDTH - x, float(HEIGHT))), [argb(tint, 0.24),
                          argb(tint, 0.07)])  # fmt: skip
        canvas.backdrop(_box(*_ALL), shade)
    elif scene.lighting == "hard":
        side = canvas.light
        middle = WIDTH / 2
        beam = polygon([(middle + side * 70, -4), (middle + side * 30, -4),
                        (middle - side * 80, HEIGHT), (middle - side * 16, HEIGHT)])  # fmt: skip
        canvas.backdrop(beam, _solid((255, 255, 255), 0.22))


def cast_shadow(canvas: Canvas, scene: Scene, feet: list[Point], unit: float) -> None:
    """The person's shadow on the ground: a soft pool, or a long dark one in hard light.

    Args:
        canvas: with its background, without the person.
        scene: names background and lighting.
        feet: where the feet stand, in pixels of 128x192.
        unit: pixels per head.
    """
    white = scene.background == "white"
    hard = scene.lighting == "hard"
    strength = (0.20 if white else 0.30) * (1.25 if hard else 1.0)
    blur = unit * (0.03 if hard else 0.09)
    spread = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur)
    away = -canvas.light
    for x, y in feet:
        pool = ellipse((x + away * unit * 0.1, y + unit * 0.02), (unit * 0.36, unit * 0.09))
        soft = _solid(_SHADE, strength)
        soft.setMaskFilter(spread)
        canvas.backdrop(pool, soft)
    if hard:
        x = sum(one[0] for one in feet) / len(feet)
        y = max(one[1] for one in feet)
        long = blob([(x - unit * 0.3, y), (x + unit * 0.3, y),
                     (x + away * unit * 1.9, y + unit * 0.1),
                     (x + away * unit * 2.3, y + unit * 0.22),
                     (x + away * unit * 1.0, y + unit * 0.16)])  # fmt: skip
        shade = _solid(_SHADE, strength * 0.8)
        shade.setMaskFilter(spread)
        canvas.backdrop(long, shade)


def _park(canvas: Canvas, level: float, rng: random.Random) -> None:
    sky = _gradient(((0, 0), (0, max(level, 40))), [argb((168, 212, 240)), argb((226, 240, 236))])
    canvas.backdrop(_box(*_ALL), sky)
    crown = max(level, HEIGHT * 0.4)
    for layer, leaf in enumerate(((146, 192, 138), (108, 168, 104))):
        for index in range(4):
            x = WIDTH * (index + rng.uniform(0.1, 0.9)) / 4
            size = rng.uniform(17, 25)
            y = crown - rng.uniform(0.34, 0.56) * HEIGHT * (1.0 - 0.22 * layer)
            trunk = _box(x - 2.0, y, x + 2.0, crown + 4)
            canvas.backdrop(trunk, _solid(mix((128, 96, 70), leaf, 0.3)))
            crowns = skia.Path()
            for dx, dy, part in ((0, -0.5, 1.0), (-0.7, 0.1, 0.8), (0.7, 0.1, 0.8), (0, 0.4, 0.9)):
                crowns.addCircle(x + dx * size, y + dy * size, size * part)
            canvas.backdrop(crowns, _solid(leaf))
            glow = ellipse((x - size * 0.3, y - size * 0.6), (size * 0.6, size * 0.5))
            canvas.backdrop(glow, _solid((255, 255, 210), 0.20))
    grass = _gradient(((0, level - 4), (0, float(HEIGHT))), [argb((150, 198, 104)),
                      argb((112, 166, 80))])  # fmt: skip
    canvas.backdrop(_box(0, level - 4, WIDTH, HEIGHT), grass)


def _street(canvas: Canvas, level: float, rng: random.Random) -> None:
    sky = _gradient(((0, 0), (0, HEIGHT * 0.5)), [argb((186, 214, 238)), argb((232, 236, 240))])
    canvas.backdrop(_box(*_ALL), sky)
    walls: tuple[Rgb, ...] = ((204, 160, 138), (222, 206, 182), (176, 178, 192), (198, 176, 160))
    start = rng.randrange(4)
    for index in range(4):
        left = WIDTH * index / 4
        top = rng.uniform(0.02, 0.22) * HEIGHT
        wall = walls[(start + index) % 4]
        canvas.backdrop(_box(left, top, left + WIDTH / 4, HEIGHT), _solid(wall))
        canvas.backdrop(_box(left, top, left + 2, HEIGHT), _solid(_SHADE, 0.12))
        canvas.backdrop(_box(left - 0.5, top - 2, left + WIDTH / 4 + 0.5, top + 2),
                        _solid(mix(wall, _SHADE, 0.25)))  # fmt: skip
        windows = skia.Path()
        for step in range(8):
            y = top + 9 + 23 * step
            for x in (left + 5, left + WIDTH / 8 + 4):
                windows.addRect(skia.Rect(x, y, x + 8, y + 13))
        canvas.backdrop(windows, _solid(mix(wall, (70, 88, 116), 0.62)))
    canvas.backdrop(_box(0, level, WIDTH, HEIGHT), _solid((156, 156, 164)))
    canvas.backdrop(_box(0, level, WIDTH, level + 4), _solid((196, 194, 194)))
    canvas.backdrop(_box(0, level + 4, WIDTH, level + 5.5), _solid((116, 116, 126)))


def _beach(canvas: Canvas, level: float, rng: random.Random) -> None:
    sky = _gradient(((0, 0), (0, max(level - 30, 40))), [argb((134, 198, 240)),
                    argb((214, 236, 246))])  # fmt: skip
    canvas.backdrop(_box(*_ALL), sky)
    sun = ellipse((WIDTH * (0.5 + canvas.light * 0.34), HEIGHT * 0.12), (11, 11))
    canvas.backdrop(sun, _solid((255, 244, 190)))
    sea = max(level - 0.24 * HEIGHT, HEIGHT * 0.30)
    water = _gradient(((0, sea), (0, level)), [argb((46, 132, 178)), argb((108, 190, 206))])
    canvas.backdrop(_box(0, sea, WIDTH, HEIGHT), water)
    for _ in range(6):
        x, y = rng.uniform(0, WIDTH), rng.uniform(sea + 4, max(level - 5, sea + 5))
        canvas.backdrop(ellipse((x, y), (9, 0.7)), _solid((255, 255, 255), 0.55))
    foam = blob([(-10, level + 6), (-10, level - 4), (30, level - 6), (64, level - 2),
                 (98, level - 6), (138, level - 3), (138, level + 6)])  # fmt: skip
    canvas.backdrop(foam, _solid((246, 252, 250)))
    sand = _gradient(((0, level), (0, float(HEIGHT))), [argb((238, 218, 168)),
                     argb((222, 196, 140))])  # fmt: skip
    canvas.backdrop(_box(0, level + 2, WIDTH, HEIGHT), sand)


_PLACES: Final = {"park": _park, "street": _street, "beach": _beach}
