"""Foretelling from what has run: on simulated queues, whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from db.repositories.estimates import Ended
from serve_app.core.estimates.history import History, Interval
from serve_app.core.estimates.work import Work, work_of

START = datetime(2026, 1, 15, tzinfo=UTC)
STEPS = {"model": "m", "num_outputs": 1, "width": 1024, "height": 1024}


def ended(created: float, claimed: float, completed: float, steps: int = 10) -> Ended:
    moments = (START + timedelta(seconds=value) for value in (created, claimed, completed))
    return Ended("generation", STEPS | {"steps": steps}, 1.0, *moments)


def one_by_one(numbers: random.Random, count: int, gap: float, noise: float) -> Iterator[Ended]:
    """A replica that works on one task after the other, a second for ten steps, give or take."""
    now = free = 0.0
    for _ in range(count):
        now += numbers.expovariate(1 / gap)
        steps = numbers.choice((5, 10, 40))
        began = max(now, free)
        free = began + steps / 10 * numbers.uniform(1, 1 + noise)
        yield ended(now, began, free, steps)


@pytest.mark.parametrize("gap", [1.0, 3.0, 10.0])
def test_the_truth_is_inside_as_often_as_said(gap: float) -> None:
    numbers = random.Random(7)
    tasks = list(one_by_one(numbers, 900, gap, noise=0.6))
    inside, below, tried = 0, 0, 0
    for place in range(300, 900, 5):
        past, now = tasks[:place], tasks[place]
        at = now.created_at
        history = History([one for one in past if one.completed_at < at][-300:])
        open_ = [one for one in past if one.completed_at >= at]
        others = 0.0
        for one in open_:
            left = (one.completed_at - max(at, one.claimed_at)) / (
                one.completed_at - one.claimed_at
            )
            others += left * history.seconds(work_of(one.type, one.config))
        own = history.seconds(work_of(now.type, now.config))
        interval = history.interval(history.plain(own, others))
        truth = (now.completed_at - at).total_seconds()
        tried += 1
        inside += truth <= interval.p90
        below += truth <= interval.p50
    assert inside / tried >= 0.85
    # With more work than is done, the queue grows beyond all that was measured.
    assert gap < 2 or 0.3 <= below / tried <= 0.7


def test_what_a_task_takes_alone() -> None:
    history = History([ended(10 * n, 10 * n, 10 * n + 2, steps=20) for n in range(20)])
    assert history.seconds(Work("generation m", 20)) == pytest.approx(2)
    assert history.seconds(Work("generation m", 5)) == pytest.approx(0.5)
    assert history.knows(Work("generation m", 1))
    assert not history.knows(Work("generation other", 1))
    assert history.seconds(Work("generation other", 1)) == pytest.approx(2)
    assert history.interval(2.0) == Interval(pytest.approx(2), pytest.approx(2.2))


def test_batches_make_work_quicker() -> None:
    alone = [ended(100 + 10 * n, 100 + 10 * n, 101 + 10 * n) for n in range(20)]
    together = [ended(400, 400, 404) for _ in range(16)]
    history = History([*alone, *together])
    assert history.seconds(Work("generation m", 10)) == pytest.approx(1)
    assert history.speed_up == pytest.approx(4 / 16)
    # Sixteen more: four seconds, not sixteen.
    assert history.interval(history.speed_up * 16).p50 == pytest.approx(4, rel=0.1)


def test_waiting_for_a_replica_is_no_work() -> None:
    history = History([ended(100 * n, 100 * n + 12, 100 * n + 13) for n in range(20)])
    assert history.start == Interval(pytest.approx(12), pytest.approx(14.4))
    assert history.seconds(Work("generation m", 10)) == pytest.approx(1)
    assert History([ended(0, 0, 1)]).start == Interval(10, 30)


def test_few_tasks_make_a_wide_interval_and_none_none() -> None:
    few = History([ended(10 * n, 10 * n, 10 * n + 2) for n in range(3)])
    interval = few.interval(2.0)
    assert interval.p90 > 2 * interval.p50
    nothing = History([])
    assert nothing.samples == 0
    assert nothing.speed_up == 1.0


def test_work_is_counted_by_what_it_is() -> None:
    config = {"model": "m", "num_outputs": 4, "steps": 20, "width": 512, "height": 1024}
    assert work_of("generation", config) == Work("generation m", 40)
    assert work_of("processing", {"operation": "upscale", "scale": 3}).units == 9
    training = {"model": "m", "settings": {"steps": 100, "batch_size": 2, "resolution": 1024}}
    assert work_of("training", training) == Work("training m", 200)
    assert work_of("export", {"name": "x.zip"}) == Work("export", 1)
