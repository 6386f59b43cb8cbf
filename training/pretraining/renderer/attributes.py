"""What a scene can be made of: garments, colours, people, views, framings, backgrounds, light.

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
Region = Literal["top", "bottom", "whole", "feet", "bag"]

#: Garment name → what it covers, which decides the framings that show it.
GARMENTS: Final[dict[str, Region]] = {
    "t-shirt": "top",
    "tank top": "top",
    "shirt": "top",
    "sweater": "top",
    "hoodie": "top",
    "jacket": "top",
    "coat": "whole",
    "dress": "whole",
    "jumpsuit": "whole",
    "skirt": "bottom",
    "jeans": "bottom",
    "trousers": "bottom",
    "shorts": "bottom",
    "sneakers": "feet",
    "boots": "feet",
    "heels": "feet",
    "handbag": "bag",
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

PATTERNS: Final = ("plain", "striped", "dotted", "checked", "floral", "colour-blocked")
_PATTERN_WEIGHTS: Final = (45, 11, 11, 11, 11, 11)

#: The framings in which each kind of garment can be told from the others.
FRAMINGS: Final[dict[Region, dict[str, float]]] = {
    "top": {"full body": 3, "upper body": 3, "upper three quarters": 3, "detail": 2},
    "bottom": {"full body": 3, "lower body": 3, "lower three quarters": 3, "detail": 2},
    "whole": {
        "full body": 3,
        "upper three quarters": 3,
        "lower three quarters": 3,
        "detail": 2,
    },
    "feet": {"full body": 2, "lower body": 3, "lower three quarters": 3, "detail": 3},
    "bag": {
        "full body": 3,
        "upper three quarters": 3,
        "lower three quarters": 3,
        "lower body": 3,
        "detail": 2,
    },
}
ALL_FRAMINGS: Final = (
    "full body",
    "upper body",
    "lower body",
    "upper three quarters",
    "lower three quarters",
    "detail",
)
#: Framings that show the face and the hair.
WITH_HEAD: Final = frozenset({"full body", "upper body", "upper three quarters"})

VIEWS: Final = ("front", "back", "side")
_VIEW_WEIGHTS: Final = (50, 25, 25)

BACKGROUNDS: Final = ("white", "grey", "beige", "blue", "pink", "park", "street", "beach")
_BACKGROUND_WEIGHTS: Final = (20, 12, 12, 11, 11, 11, 11, 11)
OUTDOORS: Final = frozenset({"park", "street", "beach"})

#: Soft light is what is meant when nothing is said.
LIGHTINGS: Final = ("soft", "hard", "warm", "cool")
_LIGHTING_WEIGHTS: Final = (58, 14, 14, 14)

SKIN_TONES: Final[dict[str, Rgb]] = {
    "pale": (253, 226, 210),
    "fair": (244, 202, 172),
    "olive": (216, 170, 122),
    "tan": (188, 130, 90),
    "brown": (140, 90, 62),
    "dark": (88, 56, 42),
}

HAIR_COLOURS: Final[dict[str, Rgb]] = {
    "black": (38, 32, 36),
    "brown": (104, 66, 42),
    "blonde": (234, 196, 116),
    "red": (184, 76, 36),
    "grey": (150, 152, 158),
    "white": (232, 232, 234),
}

HAIR_STYLES: Final = ("short", "bob", "long", "wavy", "curly", "ponytail", "bun", "braids")
_HAIR_STYLES_OF_MEN: Final = (5, 1, 1, 1, 2, 1, 1, 1)

BODY_TYPES: Final = ("slim", "average", "athletic", "curvy", "plus-size")
_BODY_WEIGHTS: Final = (22, 30, 16, 16, 16)

AGES: Final = ("child", "adult", "elderly")
_AGE_WEIGHTS: Final = (14, 70, 16)

POSES: Final = ("standing", "relaxed", "walking", "hand on hip", "hands on hips", "waving")
POSES_FROM_THE_SIDE: Final = ("standing", "walking", "hand on hip")

SUBJECTS: Final = ("woman", "man")

#: How sellers photograph a product.
PRODUCT_SHOTS: Final = ("flat-lay", "hanger", "ghost mannequin")

#: Colours of the clothes that complete the outfit; neutral, so that the product stands out.
NEUTRAL_TOPS: Final[tuple[Rgb, ...]] = ((244, 243, 240), (62, 64, 72), (190, 192, 198))
NEUTRAL_BOTTOMS: Final[tuple[Rgb, ...]] = ((74, 78, 92), (46, 48, 56), (204, 196, 182))
NEUTRAL_SHOES: Final[tuple[Rgb, ...]] = ((236, 236, 236), (48, 46, 50), (120, 84, 60))


@dataclass(frozen=True, slots=True)
class Scene:
    """All that one triple (product picture, prompt, on-model picture) shows."""

    garment: str
    colour: str
    garment_rgb: Rgb
    pattern: str
    accent_rgb: Rgb
    subject: str
    age: str
    body: str
    skin: str
    hair_style: str
    hair_colour: str
    glasses: bool
    pose: str
    mirrored: bool
    view: str
    framing: str
    background: str
    lighting: str
    top_rgb: Rgb
    bottom_rgb: Rgb
    shoes_rgb: Rgb
    product_shot: str
    jitter_seed: int

    @property
    def region(self) -> Region:
        """What the garment covers."""
        return GARMENTS[self.garment]

    @property
    def shows_head(self) -> bool:
        """Whether the framing shows face and hair."""
        return self.framing in WITH_HEAD


def patterns_of(garment: str) -> tuple[str, ...]:
    """Shoes are too small for a pattern to be seen on them."""
    return PATTERNS[:1] if GARMENTS[garment] == "feet" else PATTERNS


def is_held_out(garment: str, colour: str, pattern: str) -> bool:
    """Whether no training picture may show this combination.

    Every eleventh of the numbered combinations is held out. Whatever two of garment, colour and
    pattern are, training shows them together with some third, so that only the combination is
    new. Shoes, which are always plain, are never held out.
    """
    if GARMENTS[garment] == "feet":
        return False
    number = (
        tuple(GARMENTS).index(garment)
        + 3 * tuple(COLOURS).index(colour)
        + 5 * PATTERNS.index(pattern)
    )
    return number % 11 == 4


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


def accent_of(colour: str, rgb: Rgb, rng: random.Random) -> Rgb:
    """The second colour of a pattern: contrasts with the first without competing with it."""
    if colour in {"white", "beige", "yellow", "light blue", "pink"}:
        return mix(rgb, rng.choice([(40, 44, 60), (150, 40, 50), (36, 84, 120)]), 0.8)
    return mix(rgb, (252, 250, 246), rng.choice([0.75, 0.92]))


def _contrasting(neutrals: tuple[Rgb, ...], rgb: Rgb, rng: random.Random) -> Rgb:
    """A neutral that does not melt into the garment beside it."""
    apart = [one for one in neutrals if abs(luminance(one) - luminance(rgb)) > 45]
    return vary(rng.choice(apart or [max(neutrals, key=luminance)]), rng)


def sample_person(rng: random.Random, garment: str) -> dict[str, str | bool]:
    """Who wears a garment, by the names of the scene's attributes."""
    subject = "woman" if garment in {"dress", "skirt", "heels"} else rng.choice(SUBJECTS)
    age = rng.choices(AGES, _AGE_WEIGHTS)[0]
    if garment == "heels" and age == "child":
        age = "adult"
    style = rng.choices(HAIR_STYLES, _HAIR_STYLES_OF_MEN if subject == "man" else None)[0]
    greys = ("grey", "white")
    colours = [one for one in HAIR_COLOURS if age != "child" or one not in greys]
    aged = age == "elderly" and rng.random() < 0.75
    return {
        "subject": subject,
        "age": age,
        "body": rng.choices(BODY_TYPES, _BODY_WEIGHTS)[0],
        "skin": rng.choice(tuple(SKIN_TONES)),
        "hair_style": style,
        "hair_colour": rng.choice(greys if aged else colours),
        "glasses": rng.random() < (0.35 if age == "elderly" else 0.15),
    }


def sample_product(rng: random.Random, *, held_out: bool) -> tuple[str, str, str]:
    """Garment, colour and pattern, of the held-out combinations or of all others."""
    while True:
        garment = rng.choice(tuple(GARMENTS))
        colour = rng.choice(tuple(COLOURS))
        offered = patterns_of(garment)
        pattern = rng.choices(offered, _PATTERN_WEIGHTS[: len(offered)])[0]
        if is_held_out(garment, colour, pattern) == held_out:
            return garment, colour, pattern


def sample_scene(rng: random.Random, *, held_out: bool = False) -> Scene:
    """Draw a scene; the same generator state gives the same scene.

    Args:
        rng: decides everything.
        held_out: draw one of the combinations of `is_held_out` instead of one of the others.
    """
    garment, colour, pattern = sample_product(rng, held_out=held_out)
    garment_rgb = vary(COLOURS[colour], rng)
    framings = FRAMINGS[GARMENTS[garment]]
    view = rng.choices(VIEWS, _VIEW_WEIGHTS)[0]
    person = sample_person(rng, garment)
    return Scene(
        garment=garment,
        colour=colour,
        garment_rgb=garment_rgb,
        pattern=pattern,
        accent_rgb=accent_of(colour, garment_rgb, rng),
        **person,  # type: ignore[arg-type]
        pose=rng.choice(POSES_FROM_THE_SIDE if view == "side" else POSES),
        mirrored=rng.random() < 0.5,
        view=view,
        framing=rng.choices(tuple(framings), tuple(framings.values()))[0],
        background=rng.choices(BACKGROUNDS, _BACKGROUND_WEIGHTS)[0],
        lighting=rng.choices(LIGHTINGS, _LIGHTING_WEIGHTS)[0],
        top_rgb=_contrasting(NEUTRAL_TOPS, garment_rgb, rng),
        bottom_rgb=_contrasting(NEUTRAL_BOTTOMS, garment_rgb, rng),
        shoes_rgb=rng.choice(NEUTRAL_SHOES),
        product_shot=rng.choice(PRODUCT_SHOTS),
        jitter_seed=rng.getrandbits(32),
    )
