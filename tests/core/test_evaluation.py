"""Scores of pictures: what is better scores higher."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from serve_app.core.evaluation import PixelEvaluator, Scores

RED, GREEN = (200, 30, 40), (30, 160, 60)


def cut_out(
    colour: tuple[int, int, int], box: tuple[int, int, int, int] = (32, 20, 96, 180), blur: int = 0
) -> np.ndarray:
    picture = Image.new("RGB", (128, 192), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle(box, fill=colour)
    for y in range(box[1], box[3], 6):  # folds
        draw.line((box[0], y, box[2], y), fill=tuple(value // 2 for value in colour))
    alpha = Image.new("L", picture.size)
    ImageDraw.Draw(alpha).rectangle(box, fill=255)
    if blur:
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    return np.dstack([np.asarray(picture), np.asarray(alpha)])


def product(colour: tuple[int, int, int]) -> np.ndarray:
    picture = Image.new("RGB", (100, 100), "white")
    ImageDraw.Draw(picture).ellipse((20, 20, 80, 80), fill=colour)
    return np.asarray(picture)


def score(picture: np.ndarray, colour: tuple[int, int, int] | None = RED) -> Scores:
    return PixelEvaluator().score(picture, None if colour is None else product(colour))


def test_the_right_colour_scores_higher() -> None:
    right, wrong = score(cut_out(RED)), score(cut_out(GREEN))
    assert right.garment_color > 0.95
    assert wrong.garment_color < 0.3
    assert right.confidence > 0.7 > wrong.confidence


def test_a_blurred_picture_scores_lower() -> None:
    assert score(cut_out(RED, blur=6)).sharpness < 0.5 < score(cut_out(RED)).sharpness


@pytest.mark.parametrize("colour", [(2, 2, 2), (255, 255, 255)])
def test_burnt_out_or_crushed(colour: tuple[int, int, int]) -> None:
    assert score(cut_out(colour), None).exposure < 0.6 < score(cut_out(RED), None).exposure


@pytest.mark.parametrize("box", [(0, 20, 20, 180), (60, 90, 68, 100)], ids=["beside", "tiny"])
def test_somebody_beside_the_frame_or_far_away(box: tuple[int, int, int, int]) -> None:
    assert score(cut_out(RED, box)).subject_in_frame < 0.6
    assert score(cut_out(RED)).subject_in_frame == 1.0


def test_an_empty_picture_has_no_confidence() -> None:
    assert score(cut_out(RED) * np.array([1, 1, 1, 0], np.uint8)).confidence < 0.1


def test_without_a_product_colour_is_no_matter() -> None:
    assert score(cut_out(GREEN), None).garment_color == 1.0
