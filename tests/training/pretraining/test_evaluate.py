"""The evaluation's own instruments: colour differences, judges, pictures like photographs."""

import random
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from training.pretraining.evaluate import Judges, _garment_lab, agreement
from training.pretraining.identity import TRAITS, IdentityJudge, with_head
from training.pretraining.judges import CLASSES, Judge, judge_picture, labels
from training.pretraining.photographs import photographs
from training.pretraining.renderer.attributes import COLOURS, sample_scene
from training.pretraining.renderer.compose import draw_on_model, render_on_model
from training.pretraining.renderer.product import render_product


def test_labels_name_the_scene():
    scene = sample_scene(random.Random(4))
    seen = {name: CLASSES[name][index] for name, index in zip(CLASSES, labels(scene), strict=True)}
    assert seen == {name: getattr(scene, name) for name in CLASSES}


def test_a_judge_answers_every_question_and_marks_a_region():
    torch.manual_seed(0)
    verdict = judge_picture(Judge().eval(), Image.new("RGB", (128, 192)))
    assert verdict.attributes.keys() == CLASSES.keys()
    assert verdict.mask.shape == (192, 128)
    assert verdict.mask.dtype == bool


def test_people_are_judged_only_where_their_head_is_in_the_picture():
    torch.manual_seed(0)
    judges = Judges(Judge().eval(), IdentityJudge().eval())
    scene = replace(sample_scene(random.Random(4)), garment="t-shirt")
    headless, whole = replace(scene, framing="detail"), replace(scene, framing="full body")
    picture = draw_on_model(whole)
    assert agreement(judges, [headless], [picture]).keys() == CLASSES.keys()
    assert agreement(judges, [whole], [picture]).keys() == CLASSES.keys() | TRAITS.keys()
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
