"""Tiny models of every family, built and loaded once per session."""

import warnings
from functools import cache

import numpy as np
import pytest
import torch

from deployments.contracts import GenerationRequest
from tests.factories.checkpoints import BUILDERS, tiny_entry


@pytest.fixture(autouse=True)
def _third_party_warnings():
    with warnings.catch_warnings():
        # diffusers' Euler scheduler converts a tensor the way NumPy 1 did.
        warnings.filterwarnings("ignore", message="__array__ implementation")
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tiny tensors gain nothing from a second thread, and wait for it when the machine is busy."""
    torch.set_num_threads(1)


@pytest.fixture
def two_threads():
    """As the platform runs: the split of work between threads is part of what must not show."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """``checkpoint(family)``: the folder of its tiny checkpoint."""
    return cache(lambda family: BUILDERS[family](tmp_path_factory.mktemp(family)))


@pytest.fixture(scope="session")
def engine(checkpoint):
    """``engine(family)``: its tiny model, loaded."""
    from deployments.generation.engine import GenerationEngine

    return cache(lambda family: GenerationEngine(tiny_entry(family, checkpoint(family))))


@pytest.fixture(scope="session")
def picture():
    """A picture of another size and aspect ratio than what is generated."""
    return np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


@pytest.fixture
def make_request():
    """``make_request(family, prompt, seeds, **changes)``."""

    def make(family, prompt="a red dress", seeds=(1,), **changes):
        values = {"width": 32, "height": 48, "steps": 3, "guidance_scale": 4.0} | changes
        return GenerationRequest(
            request_id=prompt, model=f"tiny-{family}", prompt=prompt, seeds=seeds, **values
        )

    return make


@pytest.fixture
def run():
    """``run(engine, *requests)``: the events of each request."""

    def run(engine, *requests, should_stop=lambda index: False):
        events = [[] for _ in requests]
        engine.run(requests, lambda index, event: events[index].append(event), should_stop)
        return events

    return run
