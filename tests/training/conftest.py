"""Tiny base models, pictures to learn from, and what a run sends."""

import io
import os
import warnings
from functools import cache

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest
from PIL import Image

from tests.factories.checkpoints import BUILDERS, tiny_entry
from training.contracts import TrainingConfig, TrainingExample, TrainingRequest


@pytest.fixture(autouse=True)
def _third_party_warnings():
    with warnings.catch_warnings():
        # diffusers' Euler scheduler converts a tensor the way NumPy 1 did.
        warnings.filterwarnings("ignore", message="__array__ implementation")
        yield


@pytest.fixture(scope="session")
def entry(tmp_path_factory):
    """``entry(family)``: the catalog entry of its tiny checkpoint, built once."""
    return cache(
        lambda family: tiny_entry(family, BUILDERS[family](tmp_path_factory.mktemp(family)))
    )


@pytest.fixture
def example():
    """``example(name, size, seed)``: a picture of two colours with a caption."""

    def make(name, size=(32, 48), seed=0, caption="a dress", file_format="PNG", **options):
        rng = np.random.default_rng(seed)
        pixels = np.empty((size[1], size[0], 3), np.uint8)
        pixels[: size[1] // 2], pixels[size[1] // 2 :] = rng.integers(0, 256, (2, 3))
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, file_format, **options)
        return TrainingExample(name, file.getvalue(), caption)

    return make


@pytest.fixture
def make_request(example):
    """``make_request(model, **config)``: a run over five pictures of two shapes."""

    def make(model="tiny-sd", checkpoint=None, examples=None, **config):
        if examples is None:
            sizes = [(32, 48), (32, 48), (48, 32), (32, 48), (48, 32)]
            captions = ["a dress", "a coat", "a dress", "ohwx, a hat", "a bag"]
            examples = tuple(
                example(f"{index}.png", size, index, caption)
                for index, (size, caption) in enumerate(zip(sizes, captions, strict=True))
            )
        values = {"steps": 4, "batch_size": 2, "rank": 4, "alpha": 4.0, "learning_rate": 1e-2}
        values |= {"trigger_word": "ohwx", "checkpoint_every": 2}
        return TrainingRequest(
            "run", model, "mira", TrainingConfig(**(values | config)), examples, checkpoint
        )

    return make


@pytest.fixture
def run(entry):
    """``run(request)``: its events, computed in this process with one thread."""
    from training.loop import train

    def go(request, threads=1):
        events = []
        family = request.model.removeprefix("tiny-")
        train(request, events.append, entry=entry(family), device="cpu", threads=threads)
        return events

    return go


@pytest.fixture
def of():
    """``of(kind, events)``: the events of one kind."""
    return lambda kind, events: [event for event in events if isinstance(event, kind)]


@pytest.fixture
def losses():
    """``losses(events)``: by step."""
    from training.contracts import Metrics

    def by_step(events):
        return {
            step.step: step.loss
            for event in events
            if isinstance(event, Metrics)
            for step in event.steps
        }

    return by_step
