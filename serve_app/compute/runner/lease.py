"""The leases that a runner holds: kept alive while it works, dropped when they are lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from db.repositories.queue import ClaimedTask, ProgressReport, TaskQueue
from db.session import Database
from db.timeline import Timeline
from serve_app.core.signals import Signal

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Held:
    """A claimed task and the coroutine that works on it."""

    task: ClaimedTask
    job: asyncio.Task[None]
    timeline: Timeline
    progress: float = 0.0
    # What the database knows of: progress, and how many phases.
    reported: tuple[float, int] = (0.0, 0)
    stopped: bool = False

    def stop(self) -> None:
        """Have it end early. It is told once: a second time would interrupt what it does then."""
        if not self.stopped:
            self.stopped = True
            self.job.cancel()

    @property
    def reached(self) -> tuple[float, int]:
        """How far the attempt is."""
        return self.progress, len(self.timeline.phases)

    @property
    def lease(self) -> tuple[str, int]:
        """Task and attempt; the database refuses what any other attempt reports."""
        return self.task.id, self.task.attempt


class Leases:
    """Every lease of one runner.

    A lease is lost when the task was cancelled, or when the runner was silent for so long that
    another took over. Either way its job is cancelled, which ends the model's work within one step.
    """

    def __init__(self, database: Database, runner_id: str, lease_seconds: float) -> None:
        self._database = database
        self._runner_id = runner_id
        self._lease_seconds = lease_seconds
        # By lease: a task that was lost may come back while its former attempt still ends.
        self._held: dict[tuple[str, int], Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def add(self, held: Held) -> None:
        """Keep this lease alive until :meth:`drop`. That of an earlier attempt is lost, then."""
        self.cancel(held.task.id)
        self._held[held.lease] = held

    def drop(self, task: ClaimedTask) -> None:
        """The attempt has ended."""
        self._held.pop((task.id, task.attempt), None)

    def jobs(self) -> list[asyncio.Task[None]]:
        """The coroutines at work."""
        return [held.job for held in self._held.values()]

    def stop_all(self) -> list[asyncio.Task[None]]:
        """Stop all work; the coroutines, which may take a moment to end."""
        for held in self._held.values():
            held.stop()
        return self.jobs()

    def held(self, queues: Collection[str]) -> tuple[str, ...]:
        """Ids of the tasks of these queues."""
        return tuple(held.task.id for held in self._held.values() if held.task.queue in queues)

    def report(self, task: ClaimedTask, progress: float) -> None:
        """Note how far an attempt is; :meth:`flush` writes it."""
        if held := self._held.get((task.id, task.attempt)):
            held.progress = max(held.progress, min(progress, 1.0))

    def cancel(self, task_id: str) -> None:
        """Stop working on a task, if this runner does."""
        for held in self._held.values():
            if held.task.id == task_id:
                held.stop()

    async def heartbeat(self) -> None:
        """Extend all leases, and stop the work of those that are lost."""
        leases = [held.lease for held in self._held.values()]
        if not leases:
            return
        async with self._database.write() as session:
            kept = await TaskQueue(session).heartbeat(
                self._runner_id, lease_seconds=self._lease_seconds, held=leases
            )
        for lease in leases:
            held = self._held.get(lease)
            if lease[0] not in kept and held is not None:
                logger.info("lease of %s is lost", lease[0])
                held.stop()

    async def flush(self) -> None:
        """Write the progress that has changed, all in one statement."""
        changed = [(held, held.reached) for held in self._held.values()]
        changed = [(held, reached) for held, reached in changed if reached != held.reported]
        if not changed:
            return
        reports = [
            ProgressReport(*held.lease, progress, held.timeline.as_dict())
            for held, (progress, _) in changed
        ]
        async with self._database.write() as session:
            queue = TaskQueue(session)
            await queue.report_progress(self._runner_id, reports)
            await queue.signal([_signal(report) for report in reports])
        for held, reached in changed:
            held.reported = reached


def _signal(report: ProgressReport) -> str:
    data = {"progress": report.progress, "attempt": report.attempt}
    return Signal(task_id=report.task_id, event="progress", data=data).model_dump_json()
