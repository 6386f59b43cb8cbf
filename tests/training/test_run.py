"""Runs on a real Ray: what comes out, and what is left when processes die in the middle."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest

from tests.training import ray_runs
from training.contracts import (
    Checkpoint,
    Diverged,
    Finished,
    InvalidTraining,
    Metrics,
    Preparing,
    Started,
    TrainingExample,
)
from training.scaling import Scaling

ONE = Scaling(workers=1, threads=1, resources={"memory": 5e8})
TWO = Scaling.named("debug")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The process that has the Ray."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(ray_runs.Cluster.start, tmp_path_factory.mktemp("home")).result()
        yield pool
        pool.submit(ray_runs.Cluster.stop).result()


@pytest.fixture
def on_ray(cluster, entry):
    """``on_ray(request, scaling, **what)``: the outcome of a run."""

    def go(request, scaling=ONE, **what):
        catalog = {"tiny-sd": entry("sd")}
        return cluster.submit(ray_runs.train, catalog, request, scaling, **what).result()

    return go


def test_a_run_on_ray_gives_what_the_loop_gives(on_ray, run, make_request, of):
    request = make_request(steps=6, sample_prompts=("ohwx",), sample_every=3, validation_split=0.2)
    outcome = on_ray(request)
    assert [e.phase for e in of(Preparing, outcome.events)] == ["start", "load", "encode"]
    expected = run(request)
    assert outcome.events[-1].weights == expected[-1].weights
    assert of(Checkpoint, outcome.events) == of(Checkpoint, expected)
    assert kinds(outcome.events) == kinds(expected)
    assert (outcome.error, outcome.seconds_until_gone < 10) == (None, True)


def kinds(events):
    """Of the events whose number does not depend on the clock."""
    return [type(event) for event in events if not isinstance(event, Preparing | Metrics)]


@pytest.mark.chaos
def test_a_killed_run_resumes_and_ends_with_the_same_bits(on_ray, run, make_request, of):
    request = make_request(steps=160, checkpoint_every=20)
    killed = on_ray(request, kill="TrainingDriver")
    rest = resume(request, killed, ONE, on_ray, of)
    assert rest[-1].weights == run(request)[-1].weights


@pytest.mark.chaos
def test_one_killed_worker_of_two_ends_the_run_and_the_next_goes_on(on_ray, make_request, of):
    request = make_request(steps=80, checkpoint_every=20)
    killed = on_ray(request, TWO, kill="RayTrainWorker")
    rest = resume(request, killed, TWO, on_ray, of)
    assert rest[-1].weights == on_ray(request, TWO).events[-1].weights


def resume(request, killed, scaling, on_ray, of):
    """Events of the next attempt, after what a killed one has left."""
    assert killed.error is not None
    assert not of(Finished, killed.events), "it died in the middle"
    assert killed.seconds_until_gone < 10
    last = of(Checkpoint, killed.events)[-1]
    events = on_ray(replace(request, checkpoint=last.data), scaling).events
    [started] = of(Started, events)
    assert started.step == last.step >= 40
    return events


@pytest.mark.parametrize("scaling", [ONE, TWO], ids=["one worker", "two workers"])
def test_closing_the_stream_ends_the_run(scaling, on_ray, make_request):
    outcome = on_ray(make_request(steps=100_000, checkpoint_every=20), scaling, close=True)
    assert outcome.error is None
    assert outcome.seconds_until_gone < 5


def test_errors_arrive_as_what_they_are(on_ray, make_request):
    broken = (TrainingExample("x.jpg", b"no picture", ""),)
    with pytest.raises(InvalidTraining, match=r"x\.jpg"):
        on_ray(make_request(examples=broken))
    with pytest.raises(Diverged, match="smaller learning rate"):
        on_ray(make_request(steps=30, learning_rate=1e30))
    with pytest.raises(InvalidTraining, match="no model 'unheard-of'"):
        on_ray(make_request("unheard-of"))


def test_two_workers_compute_what_one_does(on_ray, run, make_request, losses, of):
    """Five pictures by four: the last batch of an epoch leaves the second worker without a row."""
    request = make_request(
        steps=6, batch_size=4, prior_weight=0.5, prior_prompt="a person", prior_images=3
    )
    two = on_ray(request, TWO).events
    assert losses(two) == pytest.approx(losses(run(request)), rel=1e-4)
    assert len(of(Finished, two)) == 1
