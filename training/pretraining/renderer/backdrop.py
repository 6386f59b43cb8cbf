"""Backgrounds: what stands behind the person, drawn in final pixels times supersampling."""

from __future__ import annotations

import random
from typing import Final

from PIL import Image, ImageDraw

from training.pretraining.renderer.attributes import Rgb, mix
from training.pretraining.renderer.canvas import SUPERSAMPLING

#: Wall and floor of the studios; white has neither seam nor shade, for cut-outs.
STUDIOS: Final[dict[str, tuple[Rgb, Rgb]]] = {
    "white": ((255, 255, 255), (255, 255, 255)),
    "grey": ((176, 178, 182), (158, 160, 165)),
    "beige": ((232, 216, 188), (218, 200, 168)),
    "blue": ((104, 152, 214), (86, 132, 194)),
    "pink": ((248, 198, 208), (238, 180, 194)),
}


def paint(image: Image.Image, background: str, ground: float, seed: int) -> None:
    """Paint a background over the whole image.

    Args:
        image: the supersampled RGB canvas, changed in place.
        background: one of `BACKGROUNDS`.
        ground: y of the line where wall and floor or sky and earth meet, in final pixels.
        seed: fixes trees, houses and waves.
    """
    draw = ImageDraw.Draw(image)
    width, height = image.size
    level = min(round(ground * SUPERSAMPLING), height)
    if background in STUDIOS:
        wall, floor = STUDIOS[background]
        draw.rectangle((0, 0, width, height), fill=wall)
        if level < height:
            draw.rectangle((0, level, width, height), fill=floor)
        return
    rng = random.Random(seed ^ 0xBAC)
    if background == "park":
        _park(draw, width, height, level, rng)
    elif background == "street":
        _street(draw, width, height, level, rng)
    else:
        _beach(draw, width, height, level)


def _park(
    draw: ImageDraw.ImageDraw, width: int, height: int, level: int, rng: random.Random
) -> None:
    draw.rectangle((0, 0, width, height), fill=(198, 226, 240))
    leaves: tuple[Rgb, ...] = ((120, 176, 104), (98, 158, 92), (140, 190, 116))
    tree = max(level, height // 3)
    for index in range(7):
        x = width * (index + rng.uniform(0.1, 0.9)) / 7
        size = rng.uniform(0.16, 0.26) * width
        top = tree - rng.uniform(0.5, 0.85) * 0.6 * height
        draw.rectangle((x - 8, top, x + 8, tree), fill=(136, 106, 80))
        draw.ellipse((x - size, top - size, x + size, top + size), fill=leaves[index % 3])
    draw.rectangle((0, level, width, height), fill=(136, 186, 96))


def _street(
    draw: ImageDraw.ImageDraw, width: int, height: int, level: int, rng: random.Random
) -> None:
    draw.rectangle((0, 0, width, height), fill=(214, 222, 232))
    walls: tuple[Rgb, ...] = ((192, 148, 128), (206, 186, 162), (164, 160, 172), (184, 166, 148))
    start = rng.randrange(4)
    for index in range(4):
        left = width * index // 4
        top = round(rng.uniform(0.02, 0.22) * height)
        wall = walls[(start + index) % 4]
        draw.rectangle((left, top, left + width // 4, height), fill=wall)
        for y in range(top + 20, height, 66):
            for x in (left + 16, left + width // 8 + 10):
                draw.rectangle((x, y, x + 26, y + 38), fill=mix(wall, (60, 70, 92), 0.6))
    draw.rectangle((0, level, width, height), fill=(150, 150, 156))
    draw.rectangle((0, level, width, level + 10), fill=(118, 118, 126))


def _beach(draw: ImageDraw.ImageDraw, width: int, height: int, level: int) -> None:
    draw.rectangle((0, 0, width, height), fill=(176, 218, 244))
    sea = level - round(0.2 * height)
    draw.rectangle((0, sea, width, height), fill=(72, 152, 192))
    draw.rectangle((0, level - 14, width, level), fill=(222, 240, 244))
    draw.rectangle((0, level, width, height), fill=(240, 222, 172))
