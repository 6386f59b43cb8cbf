"""The judges of generated pictures: how they learn, and that those in the repository can judge."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from training.pretraining.judges import learning, store
from training.pretraining.judges.identity import IdentityJudge
from training.pretraining.judges.scene import SceneJudge
from training.pretraining.renderer.attributes import sample_scene
from training.pretraining.renderer.compose import draw_on_model, render_on_model


@pytest.fixture(scope="module")
def judges():
    return store.load()


@pytest.mark.parametrize("kind", [SceneJudge, IdentityJudge])
def test_labels_name_the_scene(kind):
    judge, scene = kind(), sample_scene(random.Random(4))
    named = zip(judge.classes.items(), judge.labels(scene), strict=True)
    seen = {name: values[index] for (name, values), index in named}
    assert seen == {name: getattr(scene, name) for name in judge.classes}


@pytest.mark.parametrize("kind", ["scene", "identity"])
def test_the_judges_of_the_repository_know_todays_renders(kind, judges):
    judge = getattr(judges, kind)
    seen = learning.accuracy(judge, learning.samples(judge, "test", 150, seed=1))
    for name, share in seen.items():
        assert share >= judges.accuracy[name] - 0.06, name


def test_a_judge_finds_the_garment(judges):
    overlaps = []
    for seed in range(15):
        picture, masks = render_on_model(sample_scene(random.Random(seed)))
        found, exact = judges.scene.garment_mask(picture), masks.garment > 128
        assert found.shape == exact.shape
        overlaps.append((found & exact).sum() / (found | exact).sum())
    assert np.median(overlaps) > 0.75


@pytest.mark.parametrize("kind", [SceneJudge, IdentityJudge])
def test_a_judge_learns_and_is_stored(kind, tmp_path):
    torch.manual_seed(0)
    judge = kind()
    data = learning.samples(judge, "train", 16, seed=3)
    before = learning.accuracy(judge.eval(), data)
    learning.train(judge, data, seed=3, steps=12, batch=8)
    after = learning.accuracy(judge, data)
    assert sum(after.values()) > sum(before.values())
    other = IdentityJudge if kind is SceneJudge else SceneJudge
    store.save(judge, after, tmp_path)
    store.save(other().eval(), dict.fromkeys(other.classes, 0.0), tmp_path)
    again = store.load(tmp_path)
    assert again.accuracy == after | dict.fromkeys(other.classes, 0.0)
    picture = draw_on_model(sample_scene(random.Random(4)))
    assert getattr(again, judge.name).attributes(picture) == judge.attributes(picture)


def test_without_trained_judges_it_says_how_to_get_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="make judges"):
        store.load(tmp_path)
