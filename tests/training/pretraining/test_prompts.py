"""Prompts say what the scene shows, and the tokenizer can spell anything."""

import random

import pytest

from training.pretraining.renderer.attributes import sample_scene
from training.pretraining.renderer.prompts import COLOUR_WORDS, GARMENT_WORDS, describe
from training.pretraining.text import train_tokenizer


def scenes(count):
    return [sample_scene(random.Random(index)) for index in range(count)]


def test_a_complete_prompt_names_garment_and_colour():
    rng = random.Random(0)
    for scene in scenes(200):
        prompt = describe(scene, rng, complete=True)
        assert any(word in prompt for word in GARMENT_WORDS[scene.garment])
        assert any(word in prompt for word in COLOUR_WORDS.get(scene.colour, (scene.colour,)))
        assert prompt == prompt.lower()
        assert "  " not in prompt


def test_wordings_vary_and_leave_parts_out():
    scene = sample_scene(random.Random(1))
    prompts = {describe(scene, random.Random(index), product_shown=True) for index in range(50)}
    assert len(prompts) > 40
    assert any("product" in prompt for prompt in prompts)
    assert any(scene.colour not in prompt for prompt in prompts)


def test_no_prompt_contradicts_its_garment():
    other = {"dress": "coat", "coat": "dress", "jeans": "skirt", "skirt": "jeans"}
    rng = random.Random(2)
    for scene in scenes(300):
        if scene.garment in other:
            words = describe(scene, rng).replace(",", " ").split()
            assert other[scene.garment] not in words


@pytest.fixture(scope="module")
def tokenizer():
    rng = random.Random(0)
    return train_tokenizer([describe(scene, rng) for scene in scenes(300)], 700)


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
