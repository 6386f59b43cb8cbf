"""Prompts: what a person might write to get a scene, in many wordings and with parts missing."""

from __future__ import annotations

import random
from typing import Final

from training.pretraining.renderer.attributes import Scene

GARMENT_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "t-shirt": ("t-shirt", "tee", "tshirt", "t shirt"),
    "tank top": ("tank top", "vest top", "sleeveless top"),
    "shirt": ("shirt", "button-up shirt", "blouse", "buttoned shirt"),
    "sweater": ("sweater", "jumper", "pullover", "knit sweater"),
    "hoodie": ("hoodie", "hooded sweatshirt"),
    "jacket": ("jacket", "blazer"),
    "coat": ("coat", "overcoat", "long coat", "trench coat"),
    "dress": ("dress", "sundress", "summer dress"),
    "skirt": ("skirt", "pleated skirt"),
    "jeans": ("jeans", "denim jeans", "skinny jeans"),
    "trousers": ("trousers", "pants", "wide trousers"),
    "shorts": ("shorts", "short pants"),
}

COLOUR_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "grey": ("grey", "gray"),
    "light blue": ("light blue", "sky blue", "pale blue"),
    "navy": ("navy", "navy blue", "dark blue"),
    "purple": ("purple", "violet"),
    "beige": ("beige", "sand", "cream"),
    "pink": ("pink", "rose"),
}

PATTERN_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("", "", "", "plain"),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "polka dot"),
    "checked": ("checked", "checkered", "plaid"),
    "floral": ("floral", "flowery", "flower print"),
}

_PRODUCT: Final = ("the product", "product", "the garment", "this item", "the clothes")
_SUBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "woman": ("woman", "female model", "female fashion model", "young woman"),
    "man": ("man", "male model", "male fashion model", "young man"),
}
_ANYONE: Final = (
    "fashion model",
    "model",
    "a model",
    "person",
    "a fashion model",
    "professional model",
)
_SKIN: Final[dict[str, tuple[str, ...]]] = {
    "pale": ("pale skin", "very light skin"),
    "fair": ("fair skin", "light skin"),
    "olive": ("olive skin", "medium skin"),
    "tan": ("tan skin", "tanned skin"),
    "brown": ("brown skin",),
    "dark": ("dark skin", "black skin"),
}
_HAIR: Final[dict[str, str]] = {
    "short": "short {} hair",
    "long": "long {} hair",
    "bob": "{} bob",
    "bun": "{} hair in a bun",
    "ponytail": "{} ponytail",
    "curly": "curly {} hair",
}
_POSES: Final[dict[str, tuple[str, ...]]] = {
    "standing": ("standing", "standing straight"),
    "hand on hip": ("hand on hip", "one hand on hip"),
    "hands on hips": ("hands on hips",),
    "walking": ("walking", "walking pose"),
    "relaxed": ("relaxed pose", "relaxed"),
    "arm raised": ("arm raised", "one arm raised", "waving"),
}
_FRAMINGS: Final[dict[str, tuple[str, ...]]] = {
    "full body": ("full body", "full body shot", "full-length", "front full body"),
    "three-quarter": ("three-quarter shot", "knee-up shot", "three quarter"),
    "upper body": ("upper body", "upper body shot", "half body", "waist up"),
    "lower body": ("lower body", "lower body shot", "waist down"),
}
_BACKGROUNDS: Final[dict[str, tuple[str, ...]]] = {
    "white": ("white background", "pure white background", "plain white background",
              "clean white background"),
    "grey": ("grey background", "gray background", "grey studio background",
             "neutral grey background"),
    "beige": ("beige background", "beige studio", "warm beige background"),
    "blue": ("blue background", "blue studio", "blue studio background"),
    "pink": ("pink background", "pink studio", "pastel pink background"),
    "park": ("in a park", "park background", "outdoor", "outdoors, nature", "green park"),
    "street": ("in the street", "street background", "city street", "urban street"),
    "beach": ("on the beach", "beach background", "at the beach", "seaside"),
}  # fmt: skip
_STUDIO_LIGHT: Final = (
    "studio lighting",
    "soft studio lighting",
    "soft lighting",
    "bright studio light",
)
_OPEN_LIGHT: Final = ("natural light", "daylight", "natural lighting", "sunny")
_QUALITY: Final = ("high quality", "professional photography", "fashion photography", "sharp",
                   "highly detailed", "professional fashion photo", "4k", "editorial",
                   "e-commerce photo", "fashion illustration")  # fmt: skip
NEGATIVE_PROMPTS: Final = (
    "blurry, distorted, low quality",
    "blurry, low quality",
    "low quality, bad anatomy",
    "distorted, deformed, ugly",
    "blurry",
    "low quality, worst quality, watermark, text",
    "bad hands, extra limbs, deformed",
    "blurry, distorted, low quality, watermark",
)


def garment_phrase(scene: Scene, rng: random.Random, *, colour: bool, pattern: bool) -> str:
    """The garment with its colour and pattern when they are wanted: "red striped dress"."""
    words = [
        rng.choice(COLOUR_WORDS.get(scene.colour, (scene.colour,))) if colour else "",
        rng.choice(PATTERN_WORDS[scene.pattern]) if pattern else "",
        # The first word of a garment is its name, and the most usual one.
        rng.choice((GARMENT_WORDS[scene.garment][0], rng.choice(GARMENT_WORDS[scene.garment]))),
    ]
    return " ".join(word for word in words if word)


def describe(
    scene: Scene, rng: random.Random, *, product_shown: bool = False, complete: bool = False
) -> str:
    """Write a prompt for a scene.

    Args:
        scene: what the picture shows.
        rng: decides wording and missing parts.
        product_shown: a product picture goes with the prompt, so often it does not say what
            the product is.
        complete: name garment, colour and background in any case.

    Returns:
        A prompt in lower case.
    """
    product = _product_phrase(scene, rng, named=not product_shown, complete=complete)
    parts = [f"{_subject_phrase(scene, rng)} {rng.choice(_WEARING)} {product}"]
    extras = []
    if rng.random() < 0.35:
        extras.append(rng.choice(_POSES[scene.pose]))
    if rng.random() < 0.5:
        extras.append(rng.choice(_FRAMINGS[scene.framing]))
    if complete or rng.random() < 0.75:
        extras.append(rng.choice(_BACKGROUNDS[scene.background]))
    if rng.random() < 0.5:
        outdoors = scene.background in {"park", "street", "beach"}
        extras.append(rng.choice(_OPEN_LIGHT if outdoors else _STUDIO_LIGHT))
    if rng.random() < 0.35:
        extras.extend(rng.sample(_QUALITY, rng.randint(1, 2)))
    rng.shuffle(extras)
    return ", ".join(parts + extras)


_WEARING: Final = ("wearing", "wearing", "wearing", "in", "dressed in")


def _product_phrase(scene: Scene, rng: random.Random, *, named: bool, complete: bool) -> str:
    if not named and not complete and rng.random() < 0.4:
        return rng.choice(_PRODUCT)
    colour = complete or rng.random() < (0.92 if named else 0.3)
    pattern = rng.random() < (0.8 if named else 0.4)
    phrase = garment_phrase(scene, rng, colour=colour, pattern=pattern)
    plural = scene.garment in {"jeans", "trousers", "shorts"}
    article = rng.choice(("the", "", "") if plural else ("the", "a", "a", ""))
    return f"{article} {phrase}".strip()


def _subject_phrase(scene: Scene, rng: random.Random) -> str:
    subject = rng.choice(_ANYONE if rng.random() < 0.55 else _SUBJECTS[scene.subject])
    traits = []
    if rng.random() < 0.35:
        traits.append(_HAIR[scene.hair_style].format(scene.hair_colour))
    if rng.random() < 0.3:
        traits.append(rng.choice(_SKIN[scene.skin]))
    return f"{subject} with {' and '.join(traits)}" if traits else subject
