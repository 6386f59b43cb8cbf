"""Prompts that a language model writes from the parts of a shot. What the rules have made of them
is there before it is asked, and stays if it fails.

Its answer is two texts and can be nothing else. Words that LoRAs listen to, and what guidelines
forbid, are put in whatever it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs.catalog import ModelEntry
from db.repositories.shot_inputs import ShotInputs
from serve_app.backend.generations.composition import Composition
from serve_app.backend.generations.loras import ShotLoras


class UnusablePrompt(ValueError):
    """What the language model wrote cannot be used; the text says why."""


def question(
    composition: Composition, inputs: ShotInputs, loras: ShotLoras, entry: ModelEntry
) -> dict[str, Any]:
    """What it is asked, as the config of a question, with what its answer has to keep to."""
    words = [adapter.trigger_word for adapter in loras.used.values() if adapter.trigger_word]
    characters = entry.limits.max_prompt_characters
    parts = {name: text for name, text in composition.as_dict().items() if text}
    return {
        "operation": "compose",
        "data": {
            "shot": parts,
            "product_description": inputs.product.description,
            "prompt_by_rules": composition.prompt,
            "words_to_keep": words,
            "at_most_characters": characters,
        },
        "words": words,
        "characters": characters,
    }


def with_prompt(stored: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe as it is stored, with the prompt that a language model has written for it.

    Raises:
        UnusablePrompt: as it says.
    """
    composer, config = stored["composer"], stored["config"]
    prompt = " ".join(answer["prompt"].split())
    if not prompt:
        raise UnusablePrompt("its prompt is empty")
    missing = [word for word in composer["words"] if word.casefold() not in prompt.casefold()]
    prompt = ", ".join([*missing, prompt])
    if len(prompt) > composer["characters"]:
        raise UnusablePrompt(f"its prompt has more than {composer['characters']} characters")
    negative = config["negative_prompt"]
    more = ", ".join(
        part for part in (negative, " ".join(answer["negative_prompt"].split())) if part
    )
    if len(more) <= composer["characters"]:
        negative = more
    return {
        **stored,
        "config": {**config, "prompt": prompt, "negative_prompt": negative},
        "composer": None,
        "composed_by": composer["model"],
    }


def by_rules(stored: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """A stored recipe that keeps the prompt of the rules; ``reason`` stands in its notes."""
    note = f"The prompt is composed by rules: {reason}"
    return {**stored, "composer": None, "notes": [*stored["notes"], note]}


def written(
    recipe: Mapping[str, Any], answer: Mapping[str, Any] | None, reason: str
) -> dict[str, Any]:
    """The recipe of a generation, and that of the model that may stand in, after the question.

    Args:
        recipe: as it is stored.
        answer: of the language model; None: it has failed.
        reason: then, why.
    """
    changed = _written(recipe, answer, reason)
    if spare := recipe.get("fallback"):
        changed["fallback"] = _written(spare, answer, reason)
    return changed


def _written(
    stored: Mapping[str, Any], answer: Mapping[str, Any] | None, reason: str
) -> dict[str, Any]:
    if stored.get("composer") is None:
        return dict(stored)
    if answer is None:
        return by_rules(stored, reason)
    try:
        return with_prompt(stored, answer)
    except UnusablePrompt as error:
        return by_rules(stored, f"{stored['composer']['model']}: {error}")
