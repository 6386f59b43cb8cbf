"""The evaluation's own instruments: colour differences and the judge's outputs."""

import random
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from training.pretraining.evaluate import _garment_lab
from training.pretraining.judges import CLASSES, Judge, judge_picture, labels
from training.pretraining.renderer.attributes import sample_scene
from training.pretraining.renderer.compose import render_on_model, render_product


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


def test_product_and_person_show_the_same_garment_colour():
    scene = replace(sample_scene(random.Random(8)), pattern="plain")
    colours = [
        _garment_lab(picture, np.asarray(mask) > 128)
        for picture, mask in (render_on_model(scene), render_product(scene))
    ]
    assert np.linalg.norm(colours[0] - colours[1]) < 3
