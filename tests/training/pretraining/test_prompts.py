"""Prompts say what the scene shows, and the tokenizer can spell anything."""

import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from db.models import AgeClass
from serve_app.core.phrases import describe_subject
from training.pretraining.renderer import words
from training.pretraining.renderer.attributes import (
    AGES,
    ALL_FRAMINGS,
    COLOURS,
    GARMENTS,
    HAIR_COLOURS,
    HAIR_STYLES,
    PATTERNS,
    VIEWS,
    sample_scene,
)
from training.pretraining.renderer.prompts import describe, invented_word, with_unknown_words
from training.pretraining.text import token_ids, train_tokenizer

PRESETS = Path(__file__).parents[3] / "configs" / "presets"


def scenes(count):
    return [sample_scene(random.Random(index)) for index in range(count)]


def says(prompt, wordings):
    return any(word in prompt for word in wordings)


def test_a_complete_prompt_names_all_that_is_judged():
    rng = random.Random(0)
    for scene in scenes(300):
        prompt = describe(scene, rng, complete=True)
        assert says(prompt, words.GARMENTS[scene.garment])
        assert says(prompt, words.COLOURS[scene.colour])
        assert says(prompt, words.PATTERNS[scene.pattern])
        assert says(prompt, words.BACKGROUNDS[scene.background])
        assert says(prompt, words.FRAMINGS[scene.framing])
        assert says(prompt, words.VIEWS[scene.view])
        if scene.shows_head:
            assert says(prompt, words.SKIN[scene.skin])
            assert says(prompt, words.HAIR_COLOURS[scene.hair_colour])
        if scene.framing != "detail" and scene.body != "average":
            assert says(prompt, words.BODIES[scene.body])
        assert prompt == prompt.lower()
        assert "  " not in prompt


def test_nothing_is_said_that_the_picture_does_not_show():
    rng = random.Random(3)
    for scene in scenes(400):
        prompt = describe(scene, rng, complete=rng.random() < 0.5)
        if not scene.shows_head:
            assert "hair" not in prompt
            assert not says(prompt, words.GLASSES)
        if scene.region == "feet":
            assert scene.framing not in {"upper body", "upper three quarters"}
        if scene.lighting == "soft":
            assert not says(prompt, words.LIGHTS["hard"] + words.LIGHTS["warm"])


def test_who_says_nothing_of_the_shot_means_the_usual_one():
    rng = random.Random(5)
    usual = []
    for scene in scenes(2000):
        prompt = describe(scene, rng, product_shown=True)
        said = (
            words.FRAMINGS[scene.framing]
            + words.VIEWS[scene.view]
            + words.BACKGROUNDS[scene.background]
        )
        if not says(prompt, said):
            usual.append((scene.framing, scene.view) == ("full body", "front"))
    assert len(usual) > 40
    assert sum(usual) > 0.8 * len(usual)


def test_every_value_has_words():
    assert words.GARMENTS.keys() == GARMENTS.keys()
    assert words.COLOURS.keys() == COLOURS.keys()
    assert words.PATTERNS.keys() == set(PATTERNS)
    assert words.HAIR.keys() == set(HAIR_STYLES)
    assert words.HAIR_COLOURS.keys() == HAIR_COLOURS.keys()
    assert words.FRAMINGS.keys() == set(ALL_FRAMINGS)
    assert words.VIEWS.keys() == set(VIEWS)
    assert words.ANYONE.keys() == set(AGES)


def test_shots_are_asked_for_in_the_words_of_the_shot_types():
    for shot in yaml.safe_load((PRESETS / "shot_types.yaml").read_text(encoding="utf-8")):
        framing = words.FRAMINGS[shot["framing"].replace("_", " ")][0]
        assert shot["prompt"] == f"{framing}, {words.VIEWS[shot['view']][0]}"


def test_backgrounds_are_asked_for_in_the_words_of_the_presets():
    said = {phrase for phrases in words.BACKGROUNDS.values() for phrase in phrases}
    for preset in yaml.safe_load((PRESETS / "backgrounds.yaml").read_text(encoding="utf-8")):
        if preset["type"] == "prompt":
            assert any(preset["prompt"].startswith(phrase) for phrase in said), preset["prompt"]


@pytest.mark.parametrize("age", AgeClass)
@pytest.mark.parametrize("gender", ["female", "male", None])
def test_people_are_called_what_the_platform_calls_them(age, gender):
    subject = SimpleNamespace(gender=gender, age_class=age, hair=None, eye_color=None,
                              skin_tone=None, body_type=None)  # fmt: skip
    person = describe_subject(subject).split(" ", 1)[1]
    known = {one for wordings in words.PEOPLE.values() for one in wordings}
    known |= {one for wordings in words.ANYONE.values() for one in wordings}
    assert person in known


def test_the_platforms_order_of_a_prompt_occurs():
    scene = replace(scenes(1)[0], garment="dress", colour="red", pattern="plain", subject="woman",
                    age="adult", framing="full body", view="front", background="white",
                    lighting="soft")  # fmt: skip
    prompts = [describe(scene, random.Random(i), complete=True) for i in range(300)]
    start = "wearing a red dress, full body, front view, white background"
    assert any(start in prompt for prompt in prompts)


def test_wordings_vary_and_leave_parts_out():
    scene = sample_scene(random.Random(1))
    prompts = {describe(scene, random.Random(index), product_shown=True) for index in range(50)}
    assert len(prompts) > 40
    assert any("product" in prompt for prompt in prompts)
    assert any(not says(prompt, words.COLOURS[scene.colour]) for prompt in prompts)


def test_a_silent_prompt_leaves_the_product_to_its_picture():
    rng = random.Random(4)
    for scene in scenes(300):
        prompt = describe(scene, rng, product_shown=True, silent=True)
        person_and_product = prompt.replace(",", " ").split()
        assert says(prompt, words.PRODUCT)
        assert not set(person_and_product) & set(words.GARMENTS[scene.garment])
        assert not says(prompt, words.PATTERNS[scene.pattern]) or scene.pattern == "plain"


def test_no_prompt_contradicts_its_garment():
    other = {"dress": "coat", "coat": "dress", "jeans": "skirt", "skirt": "jeans"}
    rng = random.Random(2)
    for scene in scenes(300):
        if scene.garment in other:
            said = describe(scene, rng).replace(",", " ").split()
            assert other[scene.garment] not in said


@pytest.fixture(scope="module")
def tokenizer():
    rng = random.Random(0)
    return train_tokenizer([describe(scene, rng) for scene in scenes(1500)], 1024)


def test_complete_prompts_fit_into_the_text_encoder(tokenizer):
    rng = random.Random(5)
    prompts = [describe(scene, rng, complete=True) for scene in scenes(300)]
    ids = token_ids(tokenizer, prompts)
    assert (ids[:, -1] == tokenizer.eos_token_id).all()


@pytest.mark.parametrize(
    "prompt",
    [
        "fashion model wearing the dress",
        "Fashion Model wearing the DRESS",
        "zebra unicorn 7",
        "élégante robe",
        "写真",
    ],
)
def test_every_word_comes_back(tokenizer, prompt):
    ids = tokenizer(prompt).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in ids[1:-1]
    assert tokenizer.decode(ids, skip_special_tokens=True).split() == prompt.lower().split()


def test_known_words_are_one_token_and_length_is_fixed(tokenizer):
    padded = tokenizer(["wearing"], padding="max_length", truncation=True, max_length=77)
    assert len(padded.input_ids[0]) == 77
    assert len(tokenizer("wearing").input_ids) == 3


def test_unknown_words_come_beside_the_known_ones():
    rng = random.Random(11)
    for scene in scenes(200):
        prompt = describe(scene, rng, complete=True)
        longer = with_unknown_words(prompt, rng)
        parts = iter(longer.split(", "))
        added = 0
        for known in prompt.split(", "):
            found = next(part for part in parts if part == known or part.endswith(f" {known}"))
            added += found != known
        # Nothing known is lost or reordered, and one or two words are new.
        assert 1 <= len(longer.split()) - len(prompt.split()) <= 2
        assert added <= 2


def test_invented_words_are_many_and_of_all_kinds():
    rng = random.Random(12)
    invented = [invented_word(rng) for _ in range(500)]
    assert len(set(invented)) > 450
    assert all(word == word.lower() and " " not in word for word in invented)
    assert any(word.isalpha() for word in invented)
    assert any(word[-1].isdigit() for word in invented)
