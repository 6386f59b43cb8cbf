"""What a scene can be made of: garments, colours, people, poses, framings, backgrounds.

Everything that a picture shows and a prompt may say is an attribute of `Scene`. Colours are
sRGB triples 0..255; natural variation is drawn when the scene is sampled, so that drawing the
same scene twice gives the same picture.
"""

from __future__ import annotations

import colorsys
import random
from dataclasses import dataclass
from typing import Final, Literal

Rgb = tuple[int, int, int]
Region = Literal["top", "bottom", "whole"]

#: Garment name → the part of the body it covers.
GARMENTS: Final[dict[str, Region]] = {
    "t-shirt": "top",
    "tank top": "top",
    "shirt": "top",
    "sweater": "top",
    "hoodie": "top",
    "jacket": "top",
    "coat": "whole",
    "dress": "whole",
    "skirt": "bottom",
    "jeans": "bottom",
    "trousers": "bottom",
    "shorts": "bottom",
}

COLOURS: Final[dict[str, Rgb]] = {
    "black": (30, 30, 33),
    "white": (246, 246, 244),
    "grey": (140, 142, 146),
    "red": (206, 34, 40),
    "orange": (240, 126, 28),
    "yellow": (250, 212, 50),
    "green": (44, 142, 74),
    "light blue": (142, 196, 236),
    "blue": (38, 92, 208),
    "navy": (28, 38, 88),
    "purple": (126, 58, 168),
    "pink": (244, 138, 178),
    "brown": (118, 72, 44),
    "beige": (218, 196, 160),
}

PATTERNS: Final = ("plain", "striped", "dotted", "checked", "floral")
_PATTERN_WEIGHTS: Final = (56, 11, 11, 11, 11)

FRAMINGS: Final[dict[Region, tuple[str, ...]]] = {
    "top": ("full body", "upper body", "three-quarter"),
    "bottom": ("full body", "lower body", "three-quarter"),
    "whole": ("full body", "three-quarter"),
}

BACKGROUNDS: Final = ("white", "grey", "beige", "blue", "pink", "park", "street", "beach")

SKIN_TONES: Final[dict[str, Rgb]] = {
    "pale": (255, 224, 205),
    "fair": (246, 205, 176),
    "olive": (222, 174, 132),
    "tan": (196, 140, 100),
    "brown": (146, 96, 66),
    "dark": (94, 60, 44),
}

HAIR_COLOURS: Final[dict[str, Rgb]] = {
    "black": (34, 28, 30),
    "brown": (96, 62, 40),
    "blonde": (232, 196, 118),
    "red": (176, 72, 36),
    "grey": (170, 170, 174),
}

HAIR_STYLES: Final = ("short", "long", "bob", "bun", "ponytail", "curly")

POSES: Final = (
    "standing",
    "hand on hip",
    "hands on hips",
    "walking",
    "relaxed",
    "arm raised",
)

SUBJECTS: Final = ("woman", "man")

#: Colours of the clothes that complete the outfit; neutral, so that the product stands out.
NEUTRAL_TOPS: Final[tuple[Rgb, ...]] = ((244, 244, 242), (52, 53, 58), (196, 197, 200))
NEUTRAL_BOTTOMS: Final[tuple[Rgb, ...]] = ((58, 74, 108), (40, 41, 46), (208, 200, 186))
SHOES: Final[tuple[Rgb, ...]] = ((240, 240, 240), (44, 42, 44), (128, 86, 56))


@dataclass(frozen=True, slots=True)
class Scene:
    """All that one triple (product picture, prompt, on-model picture) shows."""

    garment: str
    colour: str
    garment_rgb: Rgb
    pattern: str
    accent_rgb: Rgb
    subject: str
    skin: str
    hair_style: str
    hair_colour: str
    pose: str
    mirrored: bool
    framing: str
    background: str
    outfit_rgb: Rgb
    shoes_rgb: Rgb
    jitter_seed: int

    @property
    def region(self) -> Region:
        """The part of the body that the garment covers."""
        return GARMENTS[self.garment]


def vary(rgb: Rgb, rng: random.Random, amount: float = 1.0) -> Rgb:
    """A natural variation of a colour: a little hue, saturation and lightness."""
    hue, light, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in rgb))
    hue = (hue + rng.uniform(-0.008, 0.008) * amount) % 1.0
    light = min(1.0, max(0.0, light + rng.uniform(-0.022, 0.022) * amount))
    saturation = min(1.0, max(0.0, saturation * (1 + rng.uniform(-0.08, 0.08) * amount)))
    red, green, blue = colorsys.hls_to_rgb(hue, light, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def luminance(rgb: Rgb) -> float:
    """Relative luminance of an sRGB colour without gamma correction, 0..255."""
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """`share` of the second colour in the first."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _accent(colour: str, rgb: Rgb, rng: random.Random) -> Rgb:
    """The second colour of a pattern: contrasts with the first without competing with it."""
    if colour in {"white", "beige", "yellow", "light blue", "pink"}:
        dark = rng.choice([(40, 44, 60), (150, 40, 50), (36, 84, 120)])
        return mix(rgb, dark, 0.75)
    return mix(rgb, (252, 250, 246), rng.choice([0.7, 0.9]))


def sample_scene(rng: random.Random) -> Scene:
    """Draw a scene; the same generator state gives the same scene."""
    garment = rng.choice(tuple(GARMENTS))
    region = GARMENTS[garment]
    colour = rng.choice(tuple(COLOURS))
    garment_rgb = vary(COLOURS[colour], rng)
    neutral = NEUTRAL_TOPS if region == "bottom" else NEUTRAL_BOTTOMS
    return Scene(
        garment=garment,
        colour=colour,
        garment_rgb=garment_rgb,
        pattern=rng.choices(PATTERNS, _PATTERN_WEIGHTS)[0],
        accent_rgb=_accent(colour, garment_rgb, rng),
        subject="woman" if garment in {"dress", "skirt"} else rng.choice(SUBJECTS),
        skin=rng.choice(tuple(SKIN_TONES)),
        hair_style=rng.choice(HAIR_STYLES),
        hair_colour=rng.choice(tuple(HAIR_COLOURS)),
        pose=rng.choice(POSES),
        mirrored=rng.random() < 0.5,
        framing=rng.choice(FRAMINGS[region]),
        background=rng.choice(BACKGROUNDS),
        outfit_rgb=vary(rng.choice(neutral), rng),
        shoes_rgb=rng.choice(SHOES),
        jitter_seed=rng.getrandbits(32),
    )
