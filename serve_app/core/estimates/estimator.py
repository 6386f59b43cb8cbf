"""Where a task stands in its queue, and when it will be done."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar
from uuid import UUID

from db.models import Task, TaskStatus
from db.repositories.estimates import EstimateRepository, LaneState, QueueState, Waiting
from db.repositories.queue import NewTask
from db.session import Database
from serve_app.core.estimates.history import History, Interval
from serve_app.core.estimates.work import work_of
from serve_app.core.rate_limits import RateLimiter

_HISTORY: Final = 300
_HISTORY_SECONDS: Final = 5.0
_STATE_SECONDS: Final = 0.5
# Of one lane that are looked at one by one; the others count as the average.
_LOOKED_AT: Final = 500
_REMEMBERED: Final = 1_000

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What can be foretold of a task that has not started.

    Attributes:
        position: its place among all tasks of its queue, in the order in which they will start; 1
            is next.
        seconds: from ``at`` until it is completed; None: no such task was measured yet.
        at: when this was foretold.
        samples: earlier tasks that it is drawn from.
    """

    position: int
    seconds: Interval | None
    at: datetime
    samples: int

    @property
    def p50_at(self) -> datetime | None:
        """By when it is as likely to be completed as not."""
        return self.at + timedelta(seconds=self.seconds.p50) if self.seconds else None

    @property
    def p90_at(self) -> datetime | None:
        """By when it will be completed nine times out of ten."""
        return self.at + timedelta(seconds=self.seconds.p90) if self.seconds else None


class _Cache(Generic[ValueT]):
    """Values that are good for some time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._values: dict[Hashable, tuple[ValueT, float]] = {}

    async def get(self, key: Hashable, read: Callable[[], Awaitable[ValueT]]) -> ValueT:
        found = self._values.get(key)
        now = time.monotonic()
        if found is not None and now < found[1]:
            return found[0]
        value = await read()
        if len(self._values) >= _REMEMBERED:
            del self._values[next(iter(self._values))]
        self._values[key] = (value, now + self._seconds)
        return value

    def forget(self, key: Hashable) -> None:
        self._values.pop(key, None)


class Estimator:
    """Estimates of one process; what it has read of a queue, it uses for some moments.

    Args:
        database: with the queues.
        limiter: knows how many tasks an organization may run at once.
    """

    def __init__(self, database: Database, limiter: RateLimiter) -> None:
        self._database = database
        self._limiter = limiter
        self._histories: _Cache[History] = _Cache(_HISTORY_SECONDS)
        self._states: _Cache[QueueState] = _Cache(_STATE_SECONDS)
        self._lanes: _Cache[list[Waiting]] = _Cache(_STATE_SECONDS)

    async def foresee(self, organization_id: UUID, *tasks: NewTask) -> Estimate:
        """The estimate of the last of some tasks of a queue, if they were queued now."""
        *siblings, task = (_waiting(one) for one in tasks)
        queue = task.queue
        lane = await self._lane(queue, organization_id)
        ahead = [one for one in lane if one.priority >= task.priority]
        unseen = 0
        if len(ahead) == _LOOKED_AT:
            async with self._database.read() as session:
                unseen = await EstimateRepository(session).ahead_of(
                    queue, organization_id, priority=task.priority
                )
        unseen = max(0, unseen - len(ahead))
        return await self._estimate(organization_id, [*ahead, *siblings], task, unseen)

    async def alone(self, tasks: Sequence[NewTask]) -> Interval | None:
        """Seconds that tasks of one queue take together where nothing else is; None: no such task
        was measured yet."""
        history = await self._history(tasks[0].queue)
        if not history.samples:
            return None
        each = [history.seconds(work_of(one.type, one.config)) for one in tasks]
        return history.interval(history.plain(max(each), sum(each) - max(each)))

    async def estimates(
        self, organization_id: UUID, tasks: Sequence[Task]
    ) -> Mapping[str, Estimate]:
        """The estimates of those of the tasks that wait, by id."""
        waiting = [task for task in tasks if task.status is TaskStatus.PENDING]
        found = {}
        for task in waiting:
            lane = await self._lane(task.queue, organization_id)
            if all(one.id != task.id for one in lane) and len(lane) < _LOOKED_AT:
                # It is newer than what was read, or was claimed meanwhile.
                self._lanes.forget((task.queue, organization_id))
                lane = await self._lane(task.queue, organization_id)
            places = {one.id: place for place, one in enumerate(lane)}
            if (place := places.get(task.id)) is not None:
                found[task.id] = await self._estimate(organization_id, lane[:place], lane[place])
            elif len(lane) == _LOOKED_AT:
                found[task.id] = await self._far_behind(organization_id, lane, task)
        return found

    async def _far_behind(
        self, organization_id: UUID, lane: Sequence[Waiting], task: Task
    ) -> Estimate:
        async with self._database.read() as session:
            before = await EstimateRepository(session).ahead_of(
                task.queue,
                organization_id,
                priority=task.priority,
                created_at=task.created_at,
                task_id=task.id,
            )
        known = Waiting(task.id, task.type, task.queue, task.config, task.cost, task.priority, 0.0)
        return await self._estimate(organization_id, lane, known, max(0, before - len(lane)))

    async def _estimate(
        self, organization_id: UUID, ahead: Sequence[Waiting], task: Waiting, unseen: int = 0
    ) -> Estimate:
        """Of a task behind those ``ahead`` of its lane, and as many ``unseen`` ones like them."""
        queue = task.queue
        history = await self._history(queue)
        state = await self._states.get(queue, lambda: self._read_state(queue))
        more = 1 + unseen / len(ahead) if ahead else 1.0
        cost = more * sum(one.cost for one in ahead)
        others, seconds_of_others = await self._others(organization_id, state, cost, history)
        before = len(ahead) + unseen
        position = before + others + 1
        at, work = datetime.now(UTC), work_of(task.type, task.config)
        if not history.samples:
            return Estimate(position, None, at, 0)
        running = sum(
            history.seconds(work_of(one.type, one.config)) * (1 - one.progress)
            for one in state.running
        )
        own = more * sum(history.seconds(work_of(one.type, one.config)) for one in ahead)
        mine = history.seconds(work)
        plain = history.plain(mine, running + own + seconds_of_others)
        at_once = (await self._limiter.plan_of(organization_id)).concurrent_tasks
        if at_once is not None:
            runs = sum(one.organization_id == organization_id for one in state.running)
            rounds = math.ceil((runs + before + 1) / at_once)
            plain = max(plain, rounds * (own + mine) / (before + 1))
        seconds = history.interval(plain)
        if state.capacity == 0:
            seconds += history.start
        due = Interval(task.due_in, task.due_in)
        return Estimate(position, seconds + due, at, history.samples)

    async def _others(
        self, organization_id: UUID, state: QueueState, cost: float, history: History
    ) -> tuple[int, float]:
        """How many tasks of others start before one that has own ones of this cost ahead of it;
        and their seconds."""
        lanes = {lane.organization_id: lane for lane in state.lanes}
        own = lanes.pop(organization_id, None)
        if not lanes:
            return 0, 0.0
        if own is None:
            async with self._database.read() as session:
                weight = await EstimateRepository(session).weight(organization_id)
            own = LaneState(organization_id, state.clock, weight, 0, 0.0)
        start = own.vtime + cost / own.weight
        counts = [(lane, _served_before(lane, start)) for lane in lanes.values()]
        costs = sum(count * lane.pending_cost / lane.pending for lane, count in counts)
        return sum(count for _, count in counts), costs * history.seconds_per_cost

    async def _lane(self, queue: str, organization_id: UUID) -> list[Waiting]:
        async def read() -> list[Waiting]:
            async with self._database.read() as session:
                return await EstimateRepository(session).waiting(
                    queue, organization_id, limit=_LOOKED_AT
                )

        return await self._lanes.get((queue, organization_id), read)

    async def _history(self, queue: str) -> History:
        history = await self._histories.get(queue, lambda: self._read_history(queue))
        if not history.samples:
            # The first one that is measured counts at once.
            self._histories.forget(queue)
        return history

    async def _read_history(self, queue: str) -> History:
        async with self._database.read() as session:
            return History(await EstimateRepository(session).ended(queue, limit=_HISTORY))

    async def _read_state(self, queue: str) -> QueueState:
        async with self._database.read() as session:
            return await EstimateRepository(session).state(queue)


def _waiting(task: NewTask) -> Waiting:
    config = dict(task.config)
    return Waiting(task.id, task.type, task.queue, config, task.cost, task.priority, 0.0)


def _served_before(lane: LaneState, start: float) -> int:
    """Tasks of a lane whose virtual start is before another's; each moves the lane on by its cost
    over its weight."""
    if lane.vtime > start:
        return 0
    step = lane.pending_cost / lane.pending / lane.weight
    return min(lane.pending, math.floor((start - lane.vtime) / step) + 1)
