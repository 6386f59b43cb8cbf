"""Which adapter is the best, and how like two pictures are."""

import numpy as np
import pytest
import torch

from training.contracts import Validation
from training.evaluation import score


def validation(loss, similarity):
    return Validation(1, loss, similarity, is_best=False)


def test_the_best_is_chosen_by_both_figures_or_by_what_there_is():
    assert score(validation(None, None), None) == 0
    assert score(validation(0.9, None), 1.0) == pytest.approx(0.1)
    assert score(validation(None, 0.7), None) == 0.7
    assert score(validation(0.9, 0.7), 1.0) == pytest.approx(0.8)
    # A likeness that is bought with knowing the pictures by heart is worth less.
    assert score(validation(1.4, 0.9), 1.0) < score(validation(0.9, 0.7), 1.0)


@pytest.fixture
def similarity(entry):
    from training.families.sd import TrainableStableDiffusion
    from training.similarity import PooledSimilarity

    model = TrainableStableDiffusion.load(entry("sd"), torch.device("cpu"), torch.float32)
    return lambda pictures: PooledSimilarity(model, pictures)


def scene(ground, figure, shift=0, size=(48, 32)):
    picture = np.empty((*size, 3), np.uint8)
    picture[:] = ground
    picture[10 + shift : 40 + shift, 8:24] = figure
    return picture


def test_pictures_of_one_kind_are_more_alike_than_others(similarity):
    red, blue, white, black = (200, 30, 30), (30, 30, 200), (250, 250, 250), (10, 10, 10)
    of = similarity([scene(white, red), scene(white, red, shift=2)])
    same, other, opposite = (
        of([scene(white, red, shift=1)]),
        of([scene(white, blue)]),
        of([scene(black, blue)]),
    )
    assert 0.9 < same <= 1.0
    assert same > other > opposite
    assert -1 <= opposite < 0.5
    mixed = of([scene(white, red, shift=1), scene(black, blue)])
    assert mixed == pytest.approx((same + opposite) / 2, abs=1e-5)
