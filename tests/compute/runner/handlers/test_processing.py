"""Operations on pixels."""

from __future__ import annotations

import numpy as np

from serve_app.compute.runner.handlers.processing import _composite, _fit

RED, BLUE, GREY = (200, 20, 20), (20, 20, 200), (230, 231, 232)


def person(width: int, height: int, *, stands: bool = True) -> np.ndarray:
    """A red figure before grey; one that does not stand is cut off below."""
    pixels = np.full((height, width, 3), GREY, np.uint8)
    bottom = height - 10 if stands else height
    pixels[10:bottom, width // 3 : width * 2 // 3] = RED
    return pixels


def test_a_plain_background_is_extended() -> None:
    image = _fit(person(60, 90), 180, 180)
    assert image.shape == (180, 180, 3)
    assert tuple(image[90, 2]) == GREY
    rows = np.flatnonzero(image[:, 90, 1] < 120)
    # Head and feet are still there.
    assert 18 <= rows[0] <= 22
    assert 158 <= rows[-1] <= 162


def test_somebody_cut_off_below_does_not_float() -> None:
    image = _fit(person(60, 90, stands=False), 60, 180)
    assert tuple(image[-1, 30]) == RED


def test_another_background_is_cropped() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 60, 3), dtype=np.uint8)
    image = _fit(noise, 60, 60)
    np.testing.assert_array_equal(image, noise[15:75])


def test_a_cut_out_before_a_colour_or_a_picture() -> None:
    cut_out = np.dstack([np.full((20, 10, 3), RED, np.uint8), np.zeros((20, 10), np.uint8)])
    cut_out[5:15, 2:8, 3] = 255
    image = _composite(cut_out, "#1414c8", None)
    assert tuple(image[0, 0]) == BLUE
    assert tuple(image[10, 5]) == RED
    picture = np.full((40, 40, 3), BLUE, np.uint8)
    np.testing.assert_array_equal(_composite(cut_out, None, picture), image)
