"""What becomes of a prompt that a language model has written."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.backend.generations.composing import UnusablePrompt, with_prompt, written

STORED: dict[str, Any] = {
    "config": {"prompt": "by rules", "negative_prompt": "blurry"},
    "composer": {"model": "claude-haiku", "words": ["zk1 dress"], "characters": 40},
    "composed_by": "rules",
    "notes": [],
}


def answer(prompt: str, negative_prompt: str = "") -> dict[str, str]:
    return {"prompt": prompt, "negative_prompt": negative_prompt}


def test_words_of_loras_stay() -> None:
    made = with_prompt(STORED, answer("a  dress\nby the sea", "haze"))
    assert made["config"] == {
        "prompt": "zk1 dress, a dress by the sea",
        "negative_prompt": "blurry, haze",
    }
    assert (made["composer"], made["composed_by"]) == (None, "claude-haiku")
    assert with_prompt(STORED, answer("a ZK1 Dress"))["config"]["prompt"] == "a ZK1 Dress"


@pytest.mark.parametrize("prompt", ["  ", "x" * 30])
def test_a_prompt_that_is_empty_or_too_long_for_the_model(prompt: str) -> None:
    with pytest.raises(UnusablePrompt):
        with_prompt(STORED, answer(prompt))


def test_what_is_forbidden_stays_when_there_is_no_room_for_more() -> None:
    made = with_prompt(STORED, answer("a dress", "y" * 39))
    assert made["config"]["negative_prompt"] == "blurry"


def test_the_model_that_may_stand_in_gets_the_prompt_as_well() -> None:
    spare = {**STORED, "composer": {**STORED["composer"], "words": [], "characters": 10}}
    made = written({**STORED, "fallback": spare}, answer("a dress by the sea"), "")
    assert made["config"]["prompt"] == "zk1 dress, a dress by the sea"
    # Too long for that one: it keeps its own.
    assert made["fallback"]["config"]["prompt"] == "by rules"
    assert "more than 10 characters" in made["fallback"]["notes"][0]
