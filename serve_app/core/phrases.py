"""Subjects and products in words: the same in prompts of shots and in captions to train from."""

from __future__ import annotations

from db.models import AgeClass, Product, ShotType, Subject

_AGES = {
    AgeClass.KID: "child",
    AgeClass.TEEN: "teenage",
    AgeClass.YOUNG: "young",
    AgeClass.MIDDLE_AGE: "middle-aged",
    AgeClass.ELDER: "elderly",
}
_PEOPLE = {
    "female": "woman",
    "woman": "woman",
    "women": "woman",
    "male": "man",
    "man": "man",
    "men": "man",
}
_CHILDREN = {"woman": "girl", "man": "boy", "person": "child"}


def describe_product(product: Product) -> str:
    """Its caption, or else what its fields say: ``a red dress made of linen``."""
    if product.caption:
        return product.caption.strip().rstrip(".")
    name = product.name.strip().lower()
    colour = (product.color or "").strip().lower()
    named = name if not colour or colour in name else f"{colour} {name}"
    materials = " and ".join(product.materials)
    is_plural = named.endswith("s") and not named.endswith("ss")
    article = "" if is_plural else "an " if named[:1] in "aeiou" else "a "
    return f"{article}{named} made of {materials}" if materials else f"{article}{named}"


def describe_subject(subject: Subject) -> str:
    """What its fields say: ``a young woman with dark hair and brown eyes``."""
    person = _PEOPLE.get((subject.gender or "").lower(), "person")
    if subject.age_class is AgeClass.KID:
        person = _CHILDREN[person]
    elif subject.age_class is not None:
        person = f"{_AGES[subject.age_class]} {person}"
    traits = [
        *([f"{subject.hair} hair"] if subject.hair else []),
        *([f"{subject.eye_color} eyes"] if subject.eye_color else []),
        *([f"{subject.skin_tone} skin"] if subject.skin_tone else []),
        *([f"{subject.body_type} build"] if subject.body_type else []),
    ]
    article = "an" if person[0] in "aeiou" else "a"
    return f"{article} {person} with {' and '.join(traits)}" if traits else f"{article} {person}"


def describe_shot_type(shot_type: ShotType) -> str:
    """What a prompt says of it, or else its framing and its view."""
    framing = shot_type.framing.replace("_", " ")
    return shot_type.prompt or f"{framing}, {shot_type.view.value} view"
