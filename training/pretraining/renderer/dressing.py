"""The person below the head, with everything that they wear and carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from training.pretraining.renderer.attributes import SKIN_TONES, Rgb, Scene
from training.pretraining.renderer.bag import bag_place, carrier, draw_bag
from training.pretraining.renderer.body import Body
from training.pretraining.renderer.bottoms import draw_legwear, draw_skirt
from training.pretraining.renderer.canvas import Canvas
from training.pretraining.renderer.fabric import Cloth, cloth_of, plain
from training.pretraining.renderer.figure import (
    draw_hand,
    draw_leg,
    draw_neck_shadow,
    draw_trunk,
)
from training.pretraining.renderer.footwear import draw_shoe
from training.pretraining.renderer.shapes import Point
from training.pretraining.renderer.tailoring import draw_sleeves
from training.pretraining.renderer.tops import TUCKED, draw_top, draw_tucked
from training.pretraining.renderer.whole import draw_whole

#: First and last height of each garment, in heads of an adult.
EXTENTS: Final[dict[str, Point]] = {
    "t-shirt": (1.2, 3.45),
    "tank top": (1.2, 3.4),
    "shirt": (1.1, 3.65),
    "sweater": (1.05, 3.5),
    "hoodie": (0.9, 3.6),
    "jacket": (1.1, 3.7),
    "coat": (1.1, 5.3),
    "dress": (1.3, 5.0),
    "jumpsuit": (1.3, 6.5),
    "skirt": (2.8, 4.8),
    "jeans": (2.8, 6.6),
    "trousers": (2.8, 6.7),
    "shorts": (2.8, 4.6),
    "sneakers": (6.4, 7.05),
    "boots": (5.6, 7.05),
    "heels": (6.5, 7.05),
    "handbag": (3.9, 5.1),
}


@dataclass(frozen=True, slots=True)
class Outfit:
    """What a person wears: the product, and plain things that complete it."""

    product: Cloth
    top: Cloth
    bottom: Cloth
    shoes: Cloth
    skin: Rgb

    @classmethod
    def of_scene(cls, scene: Scene) -> Outfit:
        """The outfit of a scene."""
        product = cloth_of(scene, EXTENTS[scene.garment])
        return cls(
            product=product,
            top=plain(scene.top_rgb),
            bottom=plain(scene.bottom_rgb),
            shoes=product if scene.region == "feet" else plain(scene.shoes_rgb),
            skin=SKIN_TONES[scene.skin],
        )


def draw_dressed(canvas: Canvas, body: Body, scene: Scene) -> None:
    """Draw trunk and limbs and the clothes on them, from the skin outwards."""
    outfit = Outfit.of_scene(scene)
    for leg in body.legs:
        draw_leg(canvas, body, leg, outfit.skin)
    # Hems fall over shoes; boots are pulled over trousers.
    if scene.garment != "boots":
        _draw_shoes(canvas, body, scene, outfit)
    if scene.region == "top":
        _draw_skin(canvas, body, outfit.skin)
        draw_legwear(canvas, body, outfit.bottom, "plain")
        draw_top(canvas, body, outfit.product, scene.garment, skin=outfit.skin, under=outfit.top)
    elif scene.region == "whole":
        _draw_skin(canvas, body, outfit.skin)
        if scene.garment == "coat":
            draw_legwear(canvas, body, outfit.bottom, "plain")
        draw_whole(canvas, body, outfit.product, scene.garment, skin=outfit.skin)
    else:
        _draw_tucked_in(canvas, body, scene, outfit)
    if scene.region == "bag":
        draw_bag(canvas, bag_place(body), outfit.product)
        draw_hand(canvas, body, carrier(body), outfit.skin)


def _draw_skin(canvas: Canvas, body: Body, skin: Rgb) -> None:
    draw_trunk(canvas, body, skin)
    draw_neck_shadow(canvas, body, skin)


def _draw_shoes(canvas: Canvas, body: Body, scene: Scene, outfit: Outfit) -> None:
    name = scene.garment if scene.region == "feet" else "plain"
    for leg in body.legs:
        draw_shoe(canvas, body, leg, outfit.shoes, name=name, skin=outfit.skin)


def _draw_tucked_in(canvas: Canvas, body: Body, scene: Scene, outfit: Outfit) -> None:
    """A plain top, tucked into the garment or into plain trousers."""
    far, near = body.arms
    top, skin = outfit.top, outfit.skin
    if body.profile:
        draw_sleeves(canvas, body, top, TUCKED, skin=skin, over=None, which=(far,))
    _draw_skin(canvas, body, skin)
    path = draw_tucked(canvas, body, top)
    if scene.garment == "skirt":
        draw_skirt(canvas, body, outfit.product)
    elif scene.region == "bottom":
        draw_legwear(canvas, body, outfit.product, scene.garment)
    else:
        draw_legwear(canvas, body, outfit.bottom, "plain")
        if scene.garment == "boots":
            _draw_shoes(canvas, body, scene, outfit)
    arms = (near,) if body.profile else body.arms
    draw_sleeves(canvas, body, top, TUCKED, skin=skin, over=path, which=arms)
