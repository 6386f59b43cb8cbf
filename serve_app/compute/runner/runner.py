"""The runner: claims tasks that can start now, and sees each of them through.

It knows Serve only by the handles it is given. Everything that must survive it is in the database.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from db.errors import is_transient
from db.listen import CANCEL_CHANNEL, TASKS_CHANNEL, Notification
from db.repositories.estimates import CapacityWriter
from db.repositories.limits import LimitWriter
from db.repositories.queue import ClaimedTask, TaskQueue
from db.repositories.queue_monitor import QueueMonitor
from db.timeline import Timeline
from serve_app.compute.runner.capacity import ReplicaWatch
from serve_app.compute.runner.handlers import Handler, Work, handler_of, time_limit
from serve_app.compute.runner.lease import Held, Leases
from serve_app.compute.runner.previews import Previews
from serve_app.compute.runner.retry import Stalled, classify
from serve_app.compute.runner.settlements import (
    DATABASE_ERRORS,
    Observer,
    Settlements,
    Withdrawn,
    outcome,
)
from serve_app.compute.runner.trail import Trail
from serve_app.compute.training.projection import close_trainings
from serve_app.compute.webhooks.deliverer import Deliverer
from serve_app.core.errors import SartiqError
from serve_app.core.resources import Resources
from serve_app.core.storage.base import StorageUnavailable
from serve_app.core.uploads import sweep_uploads

logger = logging.getLogger(__name__)

_BACKLOG_SECONDS = 0.4
_SWEEP_SECONDS = 3600.0
_BACKLOG_FRESH_SECONDS = 3.0

Chore: TypeAlias = tuple[float, Callable[[], Awaitable[None]]]


class Runner:
    """Works on the tasks of some queues until it is drained.

    Args:
        runner_id: unique to this process; stands on the tasks that it holds.
        resources: of the process.
        handles: by queue, of the deployment that does its work, or what else does it; None: the
            runner itself.
        watch: knows how much each queue's replicas can take on.
        observers: are told of every task that has ended.
        chores: what else is to be done again and again, by the seconds between.
        handlers: by type of task, what carries it out; those of the platform for all others.
    """

    def __init__(
        self,
        runner_id: str,
        resources: Resources,
        handles: Mapping[str, Any],
        watch: Callable[[Callable[[str], None]], ReplicaWatch],
        *,
        observers: Sequence[Observer] = (),
        chores: Sequence[Chore] = (),
        handlers: Mapping[str, Handler] = MappingProxyType({}),
    ) -> None:
        self.runner_id = runner_id
        self._resources = resources
        self._settings = resources.settings.queue
        self._handles = handles
        self._wake = {queue: asyncio.Event() for queue in handles}
        self._watch = watch(self._wake_queue)
        self._observers = tuple(observers)
        self._handlers = handlers
        self._settlements = Settlements(resources.database, observers)
        self._chores = tuple(chores)
        self._leases = Leases(resources.database, runner_id, self._settings.lease_seconds)
        self._previews = Previews(resources.database)
        self._draining = False
        self._loops: list[asyncio.Task[None]] = []
        self._backlog: dict[str, int] = {}
        self._tasks_wait = False
        self._backlog_at = 0.0
        self._noted_capacities: dict[str, int] = {}

    async def start(self) -> None:
        """Begin to listen, to claim and to keep the house."""
        await self._resources.providers.load(self._handles)
        await self._resources.database.listen(
            [TASKS_CHANNEL, CANCEL_CHANNEL], self._on_notification, on_gap=self._wake_all
        )
        settings = self._settings
        self._loops = [
            asyncio.create_task(self._watch.run(lambda: self._tasks_wait), name="replicas"),
            self._every(settings.heartbeat_seconds, self._leases.heartbeat),
            self._every(settings.progress_seconds, self._leases.flush),
            self._every(settings.progress_seconds, self._previews.flush),
            self._every(settings.reap_seconds, self._reap),
            self._every(_BACKLOG_SECONDS, self._count_backlog),
            self._every(_SWEEP_SECONDS, self._sweep),
            self._every(settings.reap_seconds, self._catch_up),
            self._every(settings.reap_seconds, self._close_trainings),
            *(self._every(seconds, chore) for seconds, chore in self._chores),
            asyncio.create_task(Deliverer(self._resources).run(), name="webhooks"),
            *(
                asyncio.create_task(self._claim_forever(queue), name=f"claim {queue}")
                for queue in self._handles
            ),
        ]

    def check(self) -> None:
        """Raise if one of the loops has ended: the runner is of no use then.

        Raises:
            RuntimeError: with the reason.
        """
        for loop in self._loops:
            if loop.done() and not self._draining:
                raise RuntimeError(f"the runner's loop {loop.get_name()!r} ended") from (
                    None if loop.cancelled() else loop.exception()
                )

    def working_on(self, queues: Collection[str]) -> tuple[str, ...]:
        """Ids of the tasks of these queues that it works on."""
        return self._leases.held(queues)

    def backlog(self) -> dict[str, int]:
        """Tasks by queue that run or could; empty when the last count is too old to act on."""
        is_fresh = time.monotonic() - self._backlog_at < _BACKLOG_FRESH_SECONDS
        return self._backlog if is_fresh else {}

    async def drain(self) -> None:
        """Claim no more; give what runs some time to end, then hand the rest back."""
        self._draining = True
        self._wake_all()
        if jobs := self._leases.jobs():
            await asyncio.wait(jobs, timeout=self._settings.drain_seconds)
        await asyncio.gather(*self._leases.stop_all(), return_exceptions=True)
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    # --- waking up -------------------------------------------------------------------------------

    def _on_notification(self, notification: Notification) -> None:
        if notification.channel == CANCEL_CHANNEL:
            self._leases.cancel(notification.payload)
        elif (queue := notification.payload) in self._handles:
            if self._watch.capacity(queue) == 0:
                self._watch.look_soon()
            self._wake_queue(queue)

    def _wake_queue(self, queue: str) -> None:
        if event := self._wake.get(queue):
            event.set()

    def _wake_all(self) -> None:
        for event in self._wake.values():
            event.set()

    def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        async def loop() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await step()
                except DATABASE_ERRORS as error:
                    logger.warning("%s: %s", step.__name__, error)

        return asyncio.create_task(loop(), name=step.__name__)

    # --- claiming --------------------------------------------------------------------------------

    async def _claim_forever(self, queue: str) -> None:
        wake = self._wake[queue]
        while not self._draining:
            wake.clear()
            try:
                await self._claim(queue)
            except DATABASE_ERRORS as error:
                logger.warning("claiming from %s: %s", queue, error)
            try:
                # Notifications make this prompt; the timeout makes it certain.
                async with asyncio.timeout(self._settings.poll_seconds):
                    await wake.wait()
            except TimeoutError:
                continue

    async def _claim(self, queue: str) -> None:
        """Claim all that the queue's replicas can start now."""
        capacity = self._watch.capacity(queue)
        if capacity == 0 or self._draining:
            return
        beyond = self._watch.for_newcomers(queue)
        async with self._resources.database.write() as session:
            claimed = await TaskQueue(session).claim(
                queue,
                self.runner_id,
                capacity=capacity,
                limit=capacity + beyond,
                lease_seconds=self._settings.lease_seconds,
                beyond=beyond,
            )
        for task in claimed:
            timeline = Timeline(task.attempt, task.claimed_at)
            job = asyncio.create_task(self._attempt(task, timeline), name=task.id)
            self._leases.add(Held(task, job, timeline))

    async def _reap(self) -> None:
        async with self._resources.database.write() as session:
            reaped = await TaskQueue(session).reap_expired()
        for task in reaped:
            logger.warning("the runner of %s was lost; it is %s", task.id, task.status)

    async def _catch_up(self) -> None:
        for observer in self._observers:
            try:
                await observer.catch_up(self._resources.database)
            except Exception as error:
                if is_transient(error):
                    raise
                logger.exception("%s could not catch up", type(observer).__name__)

    async def _close_trainings(self) -> None:
        await close_trainings(self._resources)

    async def _sweep(self) -> None:
        try:
            await sweep_uploads(self._resources.store)
        except StorageUnavailable as error:
            logger.warning("removing forgotten uploads: %s", error)
        async with self._resources.database.statement() as session:
            await LimitWriter(session).forget_unused(older_than_seconds=_SWEEP_SECONDS)

    async def _count_backlog(self) -> None:
        async with self._resources.database.read() as session:
            backlog = await QueueMonitor(session).backlog(list(self._handles))
        self._backlog = {name: count.runnable + count.running for name, count in backlog.items()}
        self._backlog_at = time.monotonic()
        await self._note_capacity()
        self._tasks_wait = any(count.runnable for count in backlog.values())

    async def _note_capacity(self) -> None:
        """Let whoever estimates waiting times know which queues have replicas."""
        capacities = {queue: self._watch.capacity(queue) for queue in self._handles}
        if capacities != self._noted_capacities:
            async with self._resources.database.statement() as session:
                await CapacityWriter(session).note(capacities)
            self._noted_capacities = capacities

    # --- one attempt -----------------------------------------------------------------------------

    async def _attempt(self, task: ClaimedTask, timeline: Timeline) -> None:
        work = Work(
            task=task,
            resources=self._resources,
            handle=self._handles[task.queue],
            report=lambda progress: self._leases.report(task, progress),
            show=lambda index, pixels: self._previews.show(task.id, index, pixels),
            timeline=timeline,
        )
        trail = Trail(task)
        with trail.told():
            try:
                await self._see_through(work, trail)
            except asyncio.CancelledError:
                if self._draining:
                    work.timeline.end()
                    release = partial(_release, work=work)
                    if await self._settle(work, self._settlements.write(task.id, release)):
                        trail.released()
                await self._tidy(work.discard())
            finally:
                self._leases.drop(task)
                self._wake_queue(task.queue)

    async def _see_through(self, work: Work, trail: Trail) -> None:
        task = work.task
        try:
            output = await self._run(work)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the attempt's outcome
            work.timeline.end()
            fail = partial(self._fail, work=work, error=error, trail=trail)
            await self._settle(work, self._settlements.write(task.id, fail))
        else:
            work.timeline.end()
            await self._hand_in(work, output, trail)

    async def _hand_in(self, work: Work, output: dict[str, Any], trail: Trail) -> None:
        """Store the result. Its objects are removed only when it is certain that it does not count:
        the heartbeat cancels an attempt that has just completed as well, and a draining runner all.
        """
        task = work.task
        done = self._settlements.complete(outcome(work, output), task.organization_id)
        try:
            if await self._settle(work, done):
                trail.completed()
                await self._tidy(work.discard_earlier())
        except Withdrawn:
            raise
        except asyncio.CancelledError:
            logger.info("%s was cancelled after its result was handed in", task.id)

    async def _run(self, work: Work) -> dict[str, Any]:
        seconds = time_limit(work.task.type, self._resources.settings)
        try:
            async with asyncio.timeout(seconds):
                own = self._handlers.get(work.task.type)
                handler = own or handler_of(work.task, self._resources.providers.names)
                return await handler.run(work)
        except TimeoutError:
            raise Stalled(f"The attempt took longer than {seconds:g} s") from None

    async def _fail(self, queue: TaskQueue, *, work: Work, error: Exception, trail: Trail) -> bool:
        """Fail the task, or queue it again, as the kind of failure allows."""
        task, done = work.task, work.timeline.as_dict()
        failure, strategy = classify(error)
        if failure.code == "internal_error":
            logger.error("%s failed", task.id, exc_info=error)
        earlier = sum(1 for past in task.failures if past["code"] == failure.code)
        delay = strategy.after(earlier + 1)
        is_final = delay is None or task.failed_attempts + 1 >= task.max_attempts
        trail.failed(failure, final=is_final)
        if delay is None or is_final:
            return await queue.settle_failed(task.id, task.attempt, failure, done)
        return await queue.retry_later(task.id, task.attempt, failure, done, delay=delay)

    async def _settle(self, work: Work, settling: Awaitable[bool]) -> bool:
        """Whether the outcome counts; if the lease was lost, what was stored is removed."""
        settled = await settling
        if not settled:
            await self._tidy(work.discard())
        return settled

    async def _tidy(self, removal: Awaitable[None]) -> None:
        """Remove objects that no task shows; failing at that must not fail the task."""
        try:
            await removal
        except SartiqError as error:
            logger.warning("objects were left in storage: %s", error)


async def _release(queue: TaskQueue, *, work: Work) -> bool:
    return await queue.release(work.task.id, work.task.attempt, work.timeline.as_dict())
