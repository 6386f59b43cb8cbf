"""The pictures of a scene: the person wearing the garment, and the garment lying flat."""

from __future__ import annotations

import io
import random
from typing import Final

from PIL import Image

from training.pretraining.renderer.attributes import SKIN_TONES, Scene, mix
from training.pretraining.renderer.backdrop import STUDIOS, paint
from training.pretraining.renderer.canvas import HEIGHT, WIDTH, Canvas
from training.pretraining.renderer.figure import (
    Arm,
    Leg,
    Skeleton,
    build_skeleton,
    draw_hair_back,
    draw_head,
    draw_legs,
    draw_trunk,
)
from training.pretraining.renderer.garments import (
    TOPS,
    TUCKED,
    Cloth,
    draw_arms,
    draw_garment,
    draw_trunk_of,
)

#: Framing → first and last body height shown, in heads.
_SPANS: Final = {
    "full body": (-0.55, 8.35),
    "three-quarter": (-0.45, 6.15),
    "upper body": (-0.40, 4.65),
    "lower body": (2.55, 8.35),
}


def _view(scene: Scene) -> tuple[float, tuple[float, float]]:
    """Pixels per head and the pixel of body (0, 0) for a scene's framing."""
    rng = random.Random(scene.jitter_seed ^ 0xF1)
    first, last = _SPANS[scene.framing]
    unit = HEIGHT / (last - first) * rng.uniform(0.97, 1.0)
    return unit, (WIDTH / 2 + rng.uniform(-3, 3), -first * unit)


def render_on_model(scene: Scene) -> tuple[Image.Image, Image.Image]:
    """The on-model picture (RGB) and the mask of the garment (L), 128x192 both."""
    unit, origin = _view(scene)
    canvas = Canvas(unit, origin)
    paint(canvas.image, scene.background, origin[1] + 7.1 * unit, scene.jitter_seed)
    skeleton = build_skeleton(scene)
    skin = SKIN_TONES[scene.skin]
    _shadow(canvas, scene, skeleton)
    draw_hair_back(canvas, scene)
    draw_legs(canvas, skeleton, skin, scene.shoes_rgb)
    draw_trunk(canvas, skeleton, skin)
    cloth = Cloth.of_scene(canvas, scene)
    outfit = Cloth.plain(canvas, scene.outfit_rgb)
    if scene.region == "bottom":
        # The top is tucked in, and the arms hang in front of everything.
        canvas.recording = False
        draw_trunk_of(canvas, skeleton, outfit, TUCKED, skin)
        canvas.recording = True
        draw_garment(canvas, skeleton, cloth, scene.garment)
        canvas.recording = False
        draw_arms(canvas, skeleton, outfit, TOPS[TUCKED], skin)
    else:
        if scene.garment != "dress":
            canvas.recording = False
            draw_garment(canvas, skeleton, outfit, "jeans")
            canvas.recording = True
        draw_garment(canvas, skeleton, cloth, scene.garment, skin)
    draw_head(canvas, scene)
    return canvas.finish()


def _shadow(canvas: Canvas, scene: Scene, skeleton: Skeleton) -> None:
    floor = STUDIOS[scene.background][1] if scene.background in STUDIOS else (120, 130, 120)
    shade = mix(floor, (60, 60, 70), 0.10 if scene.background == "white" else 0.22)
    for leg in skeleton.legs:
        canvas.ellipse((leg.ankle[0], 7.86), (0.5, 0.1), shade)


def draw_on_model(scene: Scene) -> Image.Image:
    """The person wearing the garment, RGB 128x192."""
    return render_on_model(scene)[0]


_FLAT: Final = Skeleton(
    arms=(
        Arm((-0.82, 1.62), (-1.16, 2.86), (-1.34, 3.96)),
        Arm((0.82, 1.62), (1.16, 2.86), (1.34, 3.96)),
    ),
    legs=(
        Leg((-0.36, 4.0), (-0.50, 5.75), (-0.56, 7.5)),
        Leg((0.36, 4.0), (0.50, 5.75), (0.56, 7.5)),
    ),
    shoulder=0.90,
    chest=0.74,
    waist=0.64,
    hips=0.74,
    limb=1.05,
)
#: Garment → first and last body height and the width it takes when it lies flat, in heads.
_EXTENT: Final = {
    "t-shirt": (1.2, 4.4, 2.7),
    "tank top": (1.3, 4.2, 2.1),
    "shirt": (1.2, 4.5, 3.2),
    "sweater": (1.2, 4.45, 3.3),
    "hoodie": (1.0, 4.45, 3.4),
    "jacket": (1.2, 4.3, 3.3),
    "coat": (1.3, 6.15, 3.4),
    "dress": (1.4, 5.65, 2.8),
    "skirt": (3.05, 5.5, 2.7),
    "jeans": (3.05, 7.6, 2.3),
    "trousers": (3.05, 7.7, 2.6),
    "shorts": (3.05, 5.4, 2.2),
}


def render_product(scene: Scene, *, zoom: int = 1) -> tuple[Image.Image, Image.Image]:
    """The flat-lay picture on white (RGB) and the garment's mask (L), 128x192 times `zoom`."""
    rng = random.Random(scene.jitter_seed ^ 0xF1A7)
    first, last, width = _EXTENT[scene.garment]
    unit = min(HEIGHT * 0.92 / (last - first), WIDTH * 0.95 / width) * rng.uniform(0.88, 1.0)
    origin = (
        WIDTH / 2 + rng.uniform(-4, 4),
        HEIGHT / 2 - unit * (first + last) / 2 + rng.uniform(-5, 5),
    )
    canvas = Canvas(unit, origin, zoom=zoom)
    draw_garment(canvas, _FLAT, Cloth.of_scene(canvas, scene), scene.garment)
    image, mask = canvas.finish()
    return _as_photographed(image, rng), mask


def _as_photographed(image: Image.Image, rng: random.Random) -> Image.Image:
    """Some product pictures are turned a little, some went through a coarse JPEG."""
    if rng.random() < 0.10:
        image = image.rotate(
            rng.uniform(-9, 9), Image.Resampling.BILINEAR, fillcolor=(255, 255, 255)
        )
    if rng.random() < 0.10:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(40, 80))
        image = Image.open(buffer).convert("RGB")
    return image


def draw_product(scene: Scene) -> Image.Image:
    """The garment lying flat on white, RGB 128x192."""
    return render_product(scene)[0]
