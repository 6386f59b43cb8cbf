"""Fabrics: a texture the size of the canvas for each colour and pattern."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from training.pretraining.renderer.attributes import Rgb, luminance, mix


def seam(rgb: Rgb) -> Rgb:
    """The colour of seams and contours on a fabric: darker, or lighter on near-black."""
    if luminance(rgb) < 62:
        return mix(rgb, (190, 190, 200), 0.30)
    return mix(rgb, (20, 16, 24), 0.34)


def fold(rgb: Rgb) -> Rgb:
    """The colour of folds on a fabric."""
    if luminance(rgb) < 62:
        return mix(rgb, (170, 170, 180), 0.14)
    return mix(rgb, (20, 16, 24), 0.13)


def weave(
    size: tuple[int, int], scale: float, *, colour: Rgb, accent: Rgb, pattern: str, seed: int
) -> Image.Image:
    """Draw a fabric.

    Args:
        size: of the texture in pixels.
        scale: pixels per head; the pattern is as large on the person as on the product.
        colour: of the ground, which covers most of the fabric.
        accent: of the pattern.
        pattern: one of `PATTERNS`.
        seed: fixes the phase of the pattern.

    Returns:
        An RGB image.
    """
    image = Image.new("RGB", size, colour)
    if pattern == "plain":
        return image
    draw = ImageDraw.Draw(image)
    rng = random.Random(seed)
    step = max(8.0, 0.42 * scale)
    phase = rng.random() * step
    if pattern == "striped":
        for y in _ticks(phase, step, size[1]):
            draw.rectangle((0, y, size[0], y + 0.30 * step), fill=accent)
    elif pattern == "dotted":
        radius = 0.24 * step
        for row, y in enumerate(_ticks(phase, step * 0.8, size[1])):
            for x in _ticks((row % 2) * step / 2, step, size[0]):
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=accent)
    elif pattern == "checked":
        width = 0.16 * step
        for x in _ticks(phase, step, size[0]):
            draw.rectangle((x, 0, x + width, size[1]), fill=mix(colour, accent, 0.75))
        for y in _ticks(phase, step, size[1]):
            draw.rectangle((0, y, size[0], y + width), fill=accent)
    else:
        _flowers(draw, size, step * 1.25, accent, rng)
    return image


def _ticks(start: float, step: float, stop: int) -> list[float]:
    return [start + step * index for index in range(-1, int(stop / step) + 2)]


def _flowers(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], step: float, petal: Rgb, rng: random.Random
) -> None:
    heart = mix(petal, (236, 176, 40), 0.7)
    radius = 0.15 * step
    for row, y in enumerate(_ticks(0.0, step * 0.85, size[1])):
        for x in _ticks((row % 2) * step / 2, step, size[0]):
            at = x + rng.uniform(-0.12, 0.12) * step, y + rng.uniform(-0.12, 0.12) * step
            for dx, dy in ((0, -1), (0.95, -0.31), (0.59, 0.81), (-0.59, 0.81), (-0.95, -0.31)):
                px, py = at[0] + dx * radius, at[1] + dy * radius
                draw.ellipse(
                    (
                        px - radius * 0.72,
                        py - radius * 0.72,
                        px + radius * 0.72,
                        py + radius * 0.72,
                    ),
                    fill=petal,
                )
            half = radius * 0.5
            draw.ellipse((at[0] - half, at[1] - half, at[0] + half, at[1] + half), fill=heart)
