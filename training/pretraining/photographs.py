"""Product pictures with the texture of real photographs, for which no training picture stands.

The silhouette is drawn, everything inside it is not: brick, gravel and grass from scikit-image's
photographs, scaled down to a weave, give the cloth its grain; slow creases, uneven light, a grey
seamless paper and sensor noise do the rest.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from skimage import data

from training.pretraining.renderer.attributes import COLOURS, GARMENTS, Scene, vary
from training.pretraining.renderer.canvas import HEIGHT, WIDTH
from training.pretraining.renderer.product import render_product
from training.pretraining.renders import held_out_scene

COUNT: Final = 20
_ZOOM: Final = 4
_CLOTHS: Final = ("brick", "gravel", "grass")


@dataclass(frozen=True, slots=True)
class Photograph:
    """A product picture, RGB 128x192, where its garment is, (192, 128) bool, and its scene."""

    picture: Image.Image
    mask: NDArray[np.bool_]
    scene: Scene


def photograph(seed: int, index: int) -> Photograph:
    """One of the pictures; the same ones every time."""
    rng = random.Random(f"{seed}:photograph:{index}")
    noise = np.random.default_rng((seed, index))
    scene = held_out_scene(seed, 200_000 + index)
    worn = [name for name, region in GARMENTS.items() if region in {"top", "bottom", "whole"}]
    colours = tuple(COLOURS)
    colour = colours[index % len(colours)]
    scene = _in_cloth(scene, worn[index % len(worn)], colour, rng)
    _, masks = render_product(scene, zoom=_ZOOM)
    picture = _shot(scene, masks.garment, rng, noise)
    small = np.asarray(Image.fromarray(masks.garment).reduce(_ZOOM))
    return Photograph(picture, small > 200, scene)


def _in_cloth(scene: Scene, garment: str, colour: str, rng: random.Random) -> Scene:
    return replace(
        scene, garment=garment, colour=colour, pattern="plain", product_shot="ghost mannequin",
        garment_rgb=vary(COLOURS[colour], rng),
    )  # fmt: skip


def _shot(scene: Scene, garment: NDArray[np.uint8], rng: random.Random,
          noise: np.random.Generator) -> Image.Image:  # fmt: skip
    height, width = garment.shape
    inside = garment.astype(np.float64)[..., None] / 255
    light = 1 + 0.05 * _weave(rng.choice(_CLOTHS), (height, width), rng)
    light += 0.07 * _slow(noise, (height, width), 9) + 0.04 * _slow(noise, (height, width), 30)
    # Thickness: cloth turns away from the light at its border.
    rim = Image.fromarray(garment).filter(ImageFilter.GaussianBlur(10))
    light *= 0.86 + 0.14 * np.asarray(rim) / 255
    cloth = np.array(scene.garment_rgb, dtype=np.float64) * light[..., None]
    shadow = Image.new("L", (width, height))
    shadow.paste(Image.fromarray(garment).filter(ImageFilter.GaussianBlur(16)), (8, 10))
    paper = np.linspace(254, rng.uniform(236, 250), height)[:, None]
    paper = paper * (1 - 0.22 * np.asarray(shadow) / 255)
    picture = cloth * inside + paper[..., None] * (1 - inside)
    picture += noise.normal(0, 3.0, (height, width, 1)) + noise.normal(0, 1.5, picture.shape)
    image = Image.fromarray(picture.clip(0, 255).round().astype(np.uint8))
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def _weave(name: str, size: tuple[int, int], rng: random.Random) -> NDArray[np.float64]:
    """A photograph's texture over the whole size, mean 0 and deviation 1."""
    texture = Image.fromarray(getattr(data, name)()).convert("L")
    scale = rng.uniform(0.4, 0.7)
    tile = np.asarray(texture.resize((round(512 * scale), round(512 * scale))), dtype=np.float64)
    repeats = (size[0] // tile.shape[0] + 1, size[1] // tile.shape[1] + 1)
    whole = np.tile(tile, repeats)[: size[0], : size[1]]
    values: NDArray[np.float64] = (whole - whole.mean()) / whole.std()
    return values


def _slow(noise: np.random.Generator, size: tuple[int, int], cells: int) -> NDArray[np.float64]:
    """Smooth random changes, `cells` of them over the height."""
    coarse = noise.normal(0, 1, (cells, max(2, cells * 2 // 3))).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(smooth, dtype=np.float64)


def photographs(seed: int, count: int = COUNT) -> list[Photograph]:
    """Pictures of as many garments in as many colours."""
    return [photograph(seed, index) for index in range(count)]
