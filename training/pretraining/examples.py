"""Draw the pictures of the demo's catalog: ``python -m training.pretraining.examples FOLDER``."""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from pathlib import Path
from typing import Final

from training.pretraining.renderer.attributes import (
    COLOURS,
    NEUTRAL_BOTTOMS,
    Scene,
    accent_of,
    sample_scene,
)
from training.pretraining.renderer.compose import render_on_model
from training.pretraining.renderer.product import render_product

#: File name → garment, colour, pattern.
PRODUCTS: Final = {
    "dress-red": ("dress", "red", "plain"),
    "dress-floral": ("dress", "light blue", "floral"),
    "sweater-green": ("sweater", "green", "plain"),
    "shirt-striped": ("shirt", "navy", "striped"),
    "coat-beige": ("coat", "beige", "plain"),
    "jacket-black": ("jacket", "black", "plain"),
    "skirt-checked": ("skirt", "brown", "checked"),
    "jeans-blue": ("jeans", "blue", "plain"),
}
#: File name → sex, hair, hair colour, skin.
SUBJECTS: Final = {
    "subject-mira": ("woman", "long", "brown", "fair"),
    "subject-ines": ("woman", "bob", "black", "tan"),
    "subject-jonas": ("man", "short", "blonde", "pale"),
}


def draw(folder: Path) -> None:
    """Write one JPEG for each product and subject; the same ones every time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (garment, colour, pattern) in PRODUCTS.items():
        rgb = COLOURS[colour]
        scene = replace(
            _scene(name),
            garment=garment,
            pattern=pattern,
            colour=colour,
            garment_rgb=rgb,
            accent_rgb=accent_of(colour, rgb, random.Random(name)),
            product_shot="ghost mannequin",
        )
        picture, _ = render_product(scene, zoom=4)
        picture.save(folder / f"{name}.jpg", quality=92)
    for name, (subject, style, hair, skin) in SUBJECTS.items():
        scene = replace(
            _scene(name),
            garment="t-shirt",
            garment_rgb=COLOURS["white"],
            pattern="plain",
            bottom_rgb=NEUTRAL_BOTTOMS[0],
            subject=subject,
            age="adult",
            body="average",
            hair_style=style,
            hair_colour=hair,
            skin=skin,
            glasses=False,
            pose="standing",
            view="front",
            framing="full body",
            background="grey",
            lighting="soft",
        )
        picture, _ = render_on_model(scene, zoom=3)
        picture.save(folder / f"{name}.jpg", quality=92)


def _scene(name: str) -> Scene:
    return sample_scene(random.Random(name))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    draw(parser.parse_args().folder)
