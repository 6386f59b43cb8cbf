"""Requests that can never succeed are refused before anything is computed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs.catalog import Defaults, Limits, ModelEntry, Source
from deployments.contracts import GenerationRequest, LoraRef
from deployments.errors import InvalidInput
from deployments.generation.admission import check

ENTRY = ModelEntry(
    name="m",
    title="M",
    description="",
    license="Apache-2.0",
    family="sd",
    modes=("text-to-image", "image-to-image"),
    source=Source(path=Path("nowhere")),
    limits=Limits(min_side=16, max_width=64, max_height=64, max_steps=10, max_loras=2),
    defaults=Defaults(width=32, height=32, steps=4, guidance_scale=4.0),
)
REQUEST = GenerationRequest("r", "m", "a dress", (1,), 32, 48, 4, 4.0)
PICTURE = np.zeros((20, 10, 3), np.uint8)


@pytest.mark.parametrize(
    "changes",
    [{}, {"image": PICTURE}, {"image": np.zeros((9, 9, 4), np.uint8)}, {"width": 64, "steps": 10}],
)
def test_good_requests_pass(changes):
    check(replace(REQUEST, **changes), ENTRY)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"width": 72}, "width 72 is not within 16..64"),
        ({"height": 8}, "height 8 is not within 16..64"),
        ({"width": 33}, "multiple of 8"),
        ({"steps": 0}, "steps 0"),
        ({"steps": 11}, "steps 11"),
        ({"seeds": ()}, "at least one seed"),
        ({"guidance_scale": float("nan")}, "finite"),
        ({"loras": (LoraRef("l", "p"),) * 3}, "3 LoRAs; at most 2"),
        ({"loras": (LoraRef("l", "p"), LoraRef("m", "p", 0.1))}, "named twice"),
        ({"loras": (LoraRef("l", "p", float("inf")),)}, "finite"),
        ({"image": PICTURE.astype(np.float32)}, "bytes"),
        ({"image": PICTURE[..., 0]}, "bytes"),
        ({"image": PICTURE[:0]}, "bytes"),
        ({"image": PICTURE, "strength": 0.0}, "strength 0.0"),
        ({"image": PICTURE, "strength": 0.1}, "leave no step"),
    ],
)
def test_bad_requests_are_refused(changes, text):
    with pytest.raises(InvalidInput, match=text):
        check(replace(REQUEST, **changes), ENTRY)


@pytest.mark.parametrize(
    ("mode", "image", "text"),
    [("image-to-image", None, "needs a picture"), ("text-to-image", PICTURE, "takes no picture")],
)
def test_the_mode_must_be_one_of_the_models(mode, image, text):
    with pytest.raises(InvalidInput, match=text):
        check(replace(REQUEST, image=image), ENTRY.model_copy(update={"modes": (mode,)}))
