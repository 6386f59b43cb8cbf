"""Prompts: what a person or the platform might write to get a scene.

In many wordings and with parts missing; never with anything that the picture does not show.
"""

from __future__ import annotations

import random
import string
from collections.abc import Sequence

from training.pretraining.renderer import words
from training.pretraining.renderer.attributes import OUTDOORS, Scene

#: Garments that leave skin bare where no face is in the picture.
_BARE = frozenset({"t-shirt", "tank top", "dress", "jumpsuit", "skirt", "shorts"})

_CONSONANTS = "bcdfghjklmnprstvwz"


def _wording(rng: random.Random, wordings: Sequence[str]) -> str:
    """The usual wording half of the time."""
    return wordings[0] if rng.random() < 0.5 else rng.choice(wordings)


def shows_skin(scene: Scene) -> bool:
    """Whether the tone of the skin can be seen."""
    return scene.shows_head or scene.garment in _BARE


def shows_pose(scene: Scene) -> bool:
    """Whether arms and legs can be seen."""
    return scene.framing in {"full body", "upper three quarters"}


def garment_phrase(scene: Scene, rng: random.Random, *, colour: bool, pattern: bool) -> str:
    """The garment with its colour and pattern when they are wanted: "red striped dress"."""
    said = [
        _wording(rng, words.COLOURS[scene.colour]) if colour else "",
        _wording(rng, words.PATTERNS[scene.pattern]) if pattern else "",
        _wording(rng, words.GARMENTS[scene.garment]),
    ]
    return " ".join(word for word in said if word)


def shot_phrase(scene: Scene, rng: random.Random) -> str:
    """Framing and view in the words of a shot type."""
    framing = _wording(rng, words.FRAMINGS[scene.framing])
    return f"{framing}, {_wording(rng, words.VIEWS[scene.view])}"


def describe(
    scene: Scene,
    rng: random.Random,
    *,
    product_shown: bool = False,
    complete: bool = False,
    silent: bool = False,
) -> str:
    """Write a prompt for a scene.

    Args:
        scene: what the picture shows.
        rng: decides wording and missing parts.
        product_shown: a product picture goes with the prompt, so often it does not say what
            the product is.
        complete: name everything that the picture shows and a judge may ask for.
        silent: leave it to the product picture what the product is.

    Returns:
        A prompt in lower case.
    """
    composed = rng.random() < 0.4
    if silent:
        product = rng.choice(words.PRODUCT)
    else:
        product = _product_phrase(scene, rng, named=not product_shown, complete=complete)
    wearing = words.CARRYING if scene.region == "bag" else words.WEARING
    verb = "wearing" if composed else rng.choice(wearing)
    first = f"{_person_phrase(scene, rng, complete=complete, composed=composed)} {verb} {product}"
    shot = _shot_parts(scene, rng, complete=complete)
    place = [_wording(rng, words.BACKGROUNDS[scene.background])]
    if not complete and rng.random() > 0.85:
        place = []
    light = _light(scene, rng, complete=complete)
    extras = rng.sample(words.QUALITY, rng.choice((0, 0, 0, 1, 2, 2)))
    if complete:
        extras = extras[:1]
    pose = []
    if shows_pose(scene) and rng.random() < 0.4:
        pose = [_wording(rng, words.POSES[scene.pose])]
    if not complete and _is_usual(scene) and rng.random() < 0.6:
        return ", ".join([first, *light, *extras])
    if composed:
        # The order in which the platform puts a prompt together.
        return ", ".join([first, *shot, *place, *light, *extras, *pose])
    rest = [", ".join(shot), *place, *light, *extras, *pose]
    rng.shuffle(rest)
    return ", ".join([first, *(part for part in rest if part)])


def with_unknown_words(prompt: str, rng: random.Random) -> str:
    """The prompt with one or two words that say nothing, as names, brands and trigger words do.

    A model that never met any takes them for something: without these an invented word at the end
    of a prompt made every third garment wrong.
    """
    parts = prompt.split(", ")
    for _ in range(rng.choice((1, 1, 1, 2))):
        word = invented_word(rng)
        if rng.random() < 0.5:
            parts.insert(rng.randrange(len(parts) + 1), word)
        elif rng.random() < 0.5:
            parts.append(word)
        else:
            # Never between the words of a phrase that mean something together.
            parts[0] = f"{word} {parts[0]}"
    return ", ".join(parts)


def invented_word(rng: random.Random) -> str:
    """A trigger word, a name or a number, which no picture has anything to do with."""
    draw = rng.random()
    if draw < 0.4:
        return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 7)))
    if draw < 0.9:
        syllables = (
            rng.choice(_CONSONANTS) + rng.choice("aeiouy") for _ in range(rng.randint(2, 4))
        )
        return "".join(syllables) + rng.choice(("", rng.choice(_CONSONANTS)))
    letters = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(0, 3)))
    return f"{letters}{rng.randint(1, 9999)}"


def _is_usual(scene: Scene) -> bool:
    """Whether the scene is what somebody expects who says nothing of shot, place and light."""
    whole = scene.framing == "full body" and scene.view == "front"
    return whole and scene.lighting == "soft" and scene.background not in OUTDOORS


def _shot_parts(scene: Scene, rng: random.Random, *, complete: bool) -> list[str]:
    """Framing and view; what is not said is a full body, from the front."""
    if complete or rng.random() < 0.35:
        return [shot_phrase(scene, rng)]
    parts = []
    if rng.random() < (0.5 if scene.framing == "full body" else 0.9):
        parts.append(_wording(rng, words.FRAMINGS[scene.framing]))
    if rng.random() < (0.4 if scene.view == "front" else 0.95):
        parts.append(_wording(rng, words.VIEWS[scene.view]))
    return parts


def _light(scene: Scene, rng: random.Random, *, complete: bool) -> list[str]:
    """Soft light is the rule, so that only other light has to be said."""
    if scene.lighting != "soft":
        said = complete or rng.random() < 0.92
        return [_wording(rng, words.LIGHTS[scene.lighting])] if said else []
    kind = "open" if scene.background in OUTDOORS else "soft"
    return [_wording(rng, words.LIGHTS[kind])] if rng.random() < 0.5 else []


def _product_phrase(scene: Scene, rng: random.Random, *, named: bool, complete: bool) -> str:
    if not named and not complete and rng.random() < 0.4:
        return rng.choice(words.PRODUCT)
    colour = complete or rng.random() < (0.92 if named else 0.3)
    # A pattern that is not said is none, unless the product's picture shows it.
    pattern = complete or rng.random() < (0.9 if named else 0.4)
    phrase = garment_phrase(scene, rng, colour=colour, pattern=pattern)
    if scene.garment in words.PLURALS:
        article = rng.choice(("the", "", ""))
    else:
        indefinite = "an" if phrase[0] in "aeiou" else "a"
        article = rng.choice(("the", indefinite, indefinite, indefinite, ""))
    material = f" made of {rng.choice(words.MATERIALS)}" if rng.random() < 0.12 else ""
    return f"{article} {phrase}".strip() + material


def _person_phrase(scene: Scene, rng: random.Random, *, complete: bool, composed: bool) -> str:
    anyone = not complete and rng.random() < 0.4
    if anyone:
        person = rng.choice(words.ANYONE[scene.age])
    else:
        person = _wording(rng, words.PEOPLE[scene.subject, scene.age])
    if composed or rng.random() < 0.4:
        person = f"{'an' if person[0] in 'aeiou' else 'a'} {person}"
    traits = _traits(scene, rng, complete=complete)
    return f"{person} with {' and '.join(traits)}" if traits else person


def _traits(scene: Scene, rng: random.Random, *, complete: bool) -> list[str]:
    traits = []
    if scene.shows_head:
        if complete or rng.random() < 0.45:
            colour = _wording(rng, words.HAIR_COLOURS[scene.hair_colour])
            traits.append(_wording(rng, words.HAIR[scene.hair_style]).format(colour))
        if scene.glasses and scene.view != "back" and (complete or rng.random() < 0.8):
            traits.append(_wording(rng, words.GLASSES))
        if not complete and rng.random() < 0.1:
            traits.append(rng.choice(words.EYES))
    if shows_skin(scene) and (complete or rng.random() < 0.35):
        traits.append(_wording(rng, words.SKIN[scene.skin]))
    if scene.framing != "detail":
        # A build that is not said is the average one.
        often = 0.15 if scene.body == "average" else 0.5
        if rng.random() < often or (complete and scene.body != "average"):
            traits.append(_wording(rng, words.BODIES[scene.body]))
    return traits
