"""What earlier tasks of a queue have shown: seconds of work, and how well it can be foretold.

A task's time from its submission to its end is foretold in two steps. First the *plain* time: the
work that runs, the work ahead of it and its own, each in seconds that such a task takes alone,
times how much faster the replicas are when they have much to do (batches, several replicas). Then
it is multiplied by what the truth was in proportion to it, for those earlier tasks whose plain
times were nearest: their median for p50, their 90th percentile for p90. For these the plain times
are worked out after the fact, from what ran and waited when they came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from db.repositories.estimates import Ended
from serve_app.core.estimates.work import Work, work_of

Floats = npt.NDArray[np.float64]

# Earlier tasks of about the same plain time that an interval is made from.
_NEAREST: Final = 60
# From fewer, the upper end is this many times the lower.
_ENOUGH: Final = 8
_WIDE: Final = 2.5
# What was measured varies together: the next tasks differ from it by more than it does from itself.
_LEAST_SPREAD: Final = 1.1
# Alone, a task takes about as long as the quickest of its kind; the very quickest may be odd.
_QUICK: Final = 0.1
# Waiting this long though nothing else was there: a replica had to start.
_COLD_SECONDS: Final = 1.0
# Where no start was ever seen.
_START_SECONDS: Final = (10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Interval:
    """Seconds that are passed by half of all tasks, and by one in ten."""

    p50: float
    p90: float

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.p50 + other.p50, self.p90 + other.p90)


class History:
    """The last tasks that a queue has completed.

    Args:
        ended: those tasks.
    """

    def __init__(self, ended: Sequence[Ended]) -> None:
        works = [work_of(one.type, one.config) for one in ended]
        self.samples = len(ended)
        created, claimed, completed = _times(ended)
        self._per_unit = _per_unit(works, completed - claimed)
        alone = np.array([self._alone(work) for work in works])
        self.seconds_per_cost = _ratio(alone.sum(), sum(one.cost for one in ended))
        self.speed_up = _speed_up(claimed, completed, alone)
        plain, cold = _plain_times(created, claimed, completed, alone, self.speed_up)
        self._plain, self._truth = plain[~cold], (completed - created)[~cold] / plain[~cold]
        self.start = _start(claimed[cold] - created[cold])

    def knows(self, work: Work) -> bool:
        """Whether a task of this kind was measured."""
        return work.kind in self._per_unit

    def seconds(self, work: Work) -> float:
        """What such a task takes alone; of a kind that was never measured, an average task's."""
        return self._alone(work) if self.knows(work) else self._average

    def plain(self, own: float, others: float) -> float:
        """The plain time of a task, of the seconds that it and those before it take alone."""
        return max(own, self.speed_up * (others + own))

    def interval(self, plain: float) -> Interval:
        """The times that a plain time stands for."""
        if len(self._plain) < _ENOUGH:
            middle = float(np.median(self._truth)) if len(self._truth) else 1.0
            return Interval(plain * middle, plain * middle * _WIDE)
        distance = np.abs(np.log(self._plain / plain))
        truth = np.sort(self._truth[np.argsort(distance)[:_NEAREST]])
        # The next one is as likely to come in any place among these.
        high = min(len(truth) - 1, math.ceil(0.9 * (len(truth) + 1)) - 1)
        middle = float(np.median(truth))
        return Interval(plain * middle, plain * max(float(truth[high]), middle * _LEAST_SPREAD))

    def _alone(self, work: Work) -> float:
        return self._per_unit[work.kind] * work.units

    @property
    def _average(self) -> float:
        return float(np.mean(self._plain)) if len(self._plain) else 1.0


def _times(ended: Sequence[Ended]) -> tuple[Floats, Floats, Floats]:
    stamps = [
        (one.created_at.timestamp(), one.claimed_at.timestamp(), one.completed_at.timestamp())
        for one in ended
    ]
    times = np.array(stamps, dtype=np.float64).reshape(-1, 3)
    return times[:, 0], times[:, 1], np.maximum(times[:, 2], times[:, 1] + 1e-3)


def _per_unit(works: Sequence[Work], seconds: Floats) -> dict[str, float]:
    by_kind: dict[str, list[float]] = {}
    for work, taken in zip(works, seconds, strict=True):
        by_kind.setdefault(work.kind, []).append(float(taken) / work.units)
    return {kind: float(np.quantile(all_, _QUICK)) for kind, all_ in by_kind.items()}


def _speed_up(claimed: Floats, completed: Floats, alone: Floats) -> float:
    """Seconds that pass for each second of work, while several tasks run at once."""
    order = np.argsort(claimed)
    began, ended, works, count = 0.0, -math.inf, 0.0, 0
    passed = worked = 0.0
    for index in (*order, None):
        if index is None or claimed[index] > ended:
            if count > 1:
                passed += ended - began
                worked += works
            if index is None:
                break
            began, works, count = float(claimed[index]), 0.0, 0
            ended = -math.inf
        ended = max(ended, float(completed[index]))
        works += float(alone[index])
        count += 1
    return _ratio(passed, worked)


def _plain_times(
    created: Floats, claimed: Floats, completed: Floats, alone: Floats, speed_up: float
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Of each task the plain time, from what ran and waited ahead of it when it came; and whether
    it had to wait for a replica to start."""
    now = created[:, None]
    runs = (claimed[None, :] <= now) & (completed[None, :] > now)
    share_left = np.where(runs, (completed - now) / (completed - claimed), 0.0)
    waits_ahead = (created[None, :] <= now) & (claimed[None, :] > now)
    waits_ahead &= claimed[None, :] < claimed[:, None]
    others: Any = share_left + waits_ahead
    np.fill_diagonal(others, 0.0)
    plain = np.maximum(alone, speed_up * (others @ alone + alone))
    cold = (others.sum(axis=1) == 0) & (claimed - created > _COLD_SECONDS)
    return np.maximum(plain, 1e-3), cold


def _start(waits: Floats) -> Interval:
    if not len(waits):
        return Interval(*_START_SECONDS)
    return Interval(float(np.median(waits)), float(np.quantile(waits, 0.9)) * 1.2)


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else 1.0
