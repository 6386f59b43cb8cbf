"""The renderer: the same scene is the same picture, and its attributes can be seen in it."""

import random
from dataclasses import replace

import numpy as np
import pytest

from training.pretraining.renderer import attributes
from training.pretraining.renderer.attributes import COLOURS, FRAMINGS, GARMENTS, sample_scene
from training.pretraining.renderer.compose import (
    draw_on_model,
    draw_product,
    render_on_model,
    render_product,
)


def scene_of(garment="dress", **changes):
    scene = sample_scene(random.Random(5))
    framing = FRAMINGS[GARMENTS[garment]][0]
    plain = {"garment": garment, "framing": framing, "pattern": "plain", "background": "white"}
    return replace(scene, **{**plain, **changes})


def median_colour(picture, mask):
    return np.median(np.asarray(picture)[np.asarray(mask) > 200], axis=0)


def test_a_seed_gives_the_same_scene_and_the_same_pixels():
    first, second = (sample_scene(random.Random(3)) for _ in range(2))
    assert first == second
    assert draw_on_model(first).tobytes() == draw_on_model(second).tobytes()
    assert draw_product(first).tobytes() == draw_product(second).tobytes()


def test_pictures_are_portraits_of_the_native_size():
    scene = scene_of()
    assert draw_on_model(scene).size == draw_product(scene).size == (128, 192)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_garment_has_the_colour_that_was_asked(colour):
    scene = scene_of("coat", colour=colour, garment_rgb=COLOURS[colour])
    for picture, mask in (render_on_model(scene), render_product(scene)):
        assert np.abs(median_colour(picture, mask) - COLOURS[colour]).max() <= 12


@pytest.mark.parametrize("garment", GARMENTS)
def test_every_garment_shows_in_all_its_framings(garment):
    for framing in FRAMINGS[GARMENTS[garment]]:
        _, mask = render_on_model(scene_of(garment, framing=framing))
        assert (np.asarray(mask) > 128).mean() > 0.02
    _, mask = render_product(scene_of(garment))
    assert (np.asarray(mask) > 128).mean() > 0.1


def test_patterns_leave_most_of_the_ground_visible():
    for pattern in attributes.PATTERNS:
        scene = scene_of("dress", pattern=pattern, garment_rgb=COLOURS["red"])
        picture, mask = render_product(scene)
        assert np.abs(median_colour(picture, mask) - COLOURS["red"]).max() <= 30


def test_a_white_background_is_pure_white():
    picture = np.asarray(draw_on_model(scene_of("t-shirt")))
    assert (picture[:20, :8] == 255).all()


def test_backgrounds_differ():
    corners = {
        tuple(np.asarray(draw_on_model(scene_of("jeans", background=name)))[4, 4])
        for name in ("white", "grey", "beige", "blue", "pink")
    }
    assert len(corners) == 5


def test_variation_keeps_colours_apart():
    rng = random.Random(0)
    for name, rgb in COLOURS.items():
        for _ in range(20):
            varied = np.array(attributes.vary(rgb, rng))
            distances = {
                other: np.abs(varied - np.array(value)).sum() for other, value in COLOURS.items()
            }
            assert min(distances, key=distances.get) == name
