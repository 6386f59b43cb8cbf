"""The evaluation's own instruments: colour differences, judges, pictures like photographs."""

import random
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from training.pretraining.evaluate import _garment_lab, agreement
from training.pretraining.judges.identity import IdentityJudge, with_head
from training.pretraining.judges.scene import SceneJudge
from training.pretraining.judges.store import Judges
from training.pretraining.photographs import photographs
from training.pretraining.renderer.attributes import COLOURS, sample_scene
from training.pretraining.renderer.compose import draw_on_model, render_on_model
from training.pretraining.renderer.product import render_product


def test_people_are_judged_only_where_their_head_is_in_the_picture():
    torch.manual_seed(0)
    judges = Judges(SceneJudge().eval(), IdentityJudge().eval(), {})
    scene = replace(sample_scene(random.Random(4)), garment="t-shirt")
    headless, whole = replace(scene, framing="detail"), replace(scene, framing="full body")
    picture, seen = draw_on_model(whole), judges.scene.classes.keys()
    assert agreement(judges, [headless], [picture]).keys() == seen
    assert agreement(judges, [whole], [picture]).keys() == seen | judges.identity.classes.keys()
    assert all(with_head(sample_scene(random.Random(i))).shows_head for i in range(50))


def test_product_and_person_show_the_same_garment_colour():
    for seed in range(8, 14):
        scene = replace(sample_scene(random.Random(seed)), pattern="plain", lighting="soft")
        colours = [
            _garment_lab(picture, masks.garment > 128)
            for picture, masks in (render_on_model(scene), render_product(scene))
        ]
        assert np.linalg.norm(colours[0] - colours[1]) < 7


def test_photographs_are_reproducible_and_keep_their_garments_colour():
    first, second = photographs(7, 14), photographs(7, 14)
    assert {one.scene.colour for one in first} == set(COLOURS)
    for one, other in zip(first, second, strict=True):
        assert one.picture.tobytes() == other.picture.tobytes()
        assert one.picture.size == (128, 192)
        assert one.mask.mean() > 0.05
        wanted = _garment_lab(
            Image.new("RGB", (1, 1), one.scene.garment_rgb), np.ones((1, 1), bool)
        )
        assert np.linalg.norm(_garment_lab(one.picture, one.mask) - wanted) < 10
