"""Outcomes of attempts on their way into the database.

Results that come in while others are being written go together in the next transaction: under load
many of them share its round trips and its commit, and one that comes alone waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from db.errors import DatabaseUnavailable, is_transient
from db.repositories.queue import Completion, TaskQueue
from db.session import Database, WriteSession

logger = logging.getLogger(__name__)

# What a lost connection to Postgres looks like.
DATABASE_ERRORS: Final = (SQLAlchemyError, DatabaseUnavailable, OSError)
_RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_AT_ONCE: Final = 64


class Observer(Protocol):
    """Whoever made a task, and has something to do when it has ended."""

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """Tasks have ended; the transaction is the one that says so, and commits both. Most of
        them will be of somebody else."""

    async def catch_up(self, database: Database) -> None:
        """See to tasks that were ended by somebody else, or whose runner was lost."""


class Withdrawn(asyncio.CancelledError):
    """Whoever had a result was cancelled before it was written, and it never will be."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A result that is not written yet."""

    completion: Completion
    organization_id: UUID
    settled: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    # Whoever had it does not want it written any more.
    is_withdrawn: bool = False
    # It was sent to the database, which may have stored it even if its answer was lost.
    is_sent: bool = False


class Settlements:
    """Writes the outcomes of one runner's attempts, and tells the observers.

    If a lease was lost, the database refuses the outcome: False, then.
    """

    def __init__(self, database: Database, observers: Sequence[Observer]) -> None:
        self._database = database
        self._observers = tuple(observers)
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def complete(self, completion: Completion, organization_id: UUID) -> bool:
        """Store a result, as often as it takes: a database that is away comes back.

        If this is cancelled, the result is withdrawn, unless it was sent to the database before:
        then it is as if the cancelling had come too late.

        Raises:
            Withdrawn: as it says. Any other cancelling leaves open whether the result counts.
        """
        one = _Waiting(completion, organization_id)
        self._waiting.append(one)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name="settlements")
        try:
            return await asyncio.shield(one.settled)
        except asyncio.CancelledError:
            one.is_withdrawn = not one.is_sent
            settled = await asyncio.shield(one.settled)
            if one.is_withdrawn:
                raise Withdrawn from None
            return settled

    async def write(self, task_id: str, write: Callable[[TaskQueue], Awaitable[bool]]) -> bool:
        """Write another outcome of a task, as often as it takes."""
        return await _persist(task_id, lambda: self._write_one(task_id, write))

    async def _write_one(self, task_id: str, write: Callable[[TaskQueue], Awaitable[bool]]) -> bool:
        async with self._database.write() as session:
            if settled := await write(TaskQueue(session)):
                await self._tell(session, [task_id])
        return settled

    async def _write_all(self) -> None:
        while self._waiting:
            # Those of the same moment go together, and what was withdrawn in it is not written.
            await asyncio.sleep(0)
            batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            try:
                await self._write_batch(batch)
            except Exception as error:  # noqa: BLE001 - of one of them, or of none
                logger.warning("settling %s tasks: %s", len(batch), error)
                for one in batch:
                    await self._write_alone(one)

    async def _write_alone(self, one: _Waiting) -> None:
        """Write one result, again and again while the database is away. What cannot be written at
        all is its attempt's own fault."""
        try:
            await _persist(one.completion.task_id, partial(self._write_batch, [one]))
        except Exception as error:  # noqa: BLE001 - raised where the result comes from
            if not one.settled.done():
                one.settled.set_exception(error)

    async def _write_batch(self, batch: Sequence[_Waiting]) -> bool:
        wanted = [one for one in batch if not one.is_withdrawn]
        settled: set[str] = set()
        if wanted:
            for one in wanted:
                one.is_sent = True
            async with self._database.write() as session:
                queue = TaskQueue(session)
                settled = await queue.settle_all([one.completion for one in wanted])
                await self._tell(session, sorted(settled))
                await queue.lock_log({one.organization_id for one in wanted})
        for one in batch:
            if not one.settled.done():
                one.settled.set_result(one.completion.task_id in settled)
        return True

    async def _tell(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """Tell the observers of tasks that have ended.

        One that fails must neither undo the tasks nor stop the runner: what it did is rolled back,
        and it sees the tasks again when it catches up. A database that is away, or that chose this
        transaction to break a deadlock, fails all of it, which is then tried again.
        """
        if not task_ids or not self._observers:
            return
        try:
            async with session.begin_nested():
                for observer in self._observers:
                    await observer.settled(session, task_ids)
        except Exception as error:
            if is_transient(error):
                raise
            for observer in self._observers:
                for task_id in task_ids:
                    await _tell_one(session, observer, task_id)


async def _tell_one(session: WriteSession, observer: Observer, task_id: str) -> None:
    try:
        async with session.begin_nested():
            await observer.settled(session, [task_id])
    except Exception as error:
        if is_transient(error):
            raise
        logger.exception("%s could not be told of %s", type(observer).__name__, task_id)


async def _persist(task_id: str, work: Callable[[], Awaitable[bool]]) -> bool:
    tries = 0
    while True:
        try:
            return await work()
        except DATABASE_ERRORS as error:
            logger.warning("settling %s: %s", task_id, error)
            await asyncio.sleep(_RETRY_SECONDS[min(tries, len(_RETRY_SECONDS) - 1)])
            tries += 1


def outcome(work: Any, output: dict[str, Any]) -> Completion:
    """The result of an attempt (`Work`) as it is written."""
    return Completion(work.task.id, work.task.attempt, output, work.timeline.as_dict())
