"""What a runner writes about the training that it works on.

Fenced as the queue is: everything counts only while the attempt that writes it runs. What an
attempt does over replaces what an earlier one wrote, so the history has no gaps and nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import (
    Task,
    TaskStatus,
    Training,
    TrainingCheckpoint,
    TrainingInput,
    TrainingSample,
    TrainingStep,
    TrainingValidation,
)
from db.session import ReadSession, WriteSession

_ENDS = [status for status in TaskStatus if status.is_final]
_AT_ONCE = 50


class TrainingLog:
    """One attempt of a training, within one transaction; :meth:`hold` it before anything else."""

    def __init__(self, session: WriteSession, task_id: str, attempt: int) -> None:
        self._session = session
        self._task_id = task_id
        self._attempt = attempt

    async def hold(self) -> bool:
        """Keep the attempt running until this transaction ends. False: it does not run any more,
        and must write nothing."""
        found = await self._session.scalar(
            select(Task.id)
            .where(
                Task.id == self._task_id,
                Task.attempt == self._attempt,
                Task.status == TaskStatus.RUNNING,
            )
            .with_for_update(read=True)
        )
        return found is not None

    async def note(self, **values: Any) -> None:
        """Set ``phase``, ``step`` or ``facts`` of the training."""
        await self._session.execute(
            update(Training).where(Training.task_id == self._task_id).values(**values)
        )

    async def add_steps(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """Keep the figures of steps."""
        await self._put(TrainingStep, steps)

    async def add_validation(self, **values: Any) -> None:
        """Keep how good the adapter is after a step."""
        await self._put(TrainingValidation, [values])

    async def add_sample(self, **values: Any) -> str | None:
        """Keep a picture; the path of the one that it replaces, if there was another."""
        key = (self._task_id, values["step"], values["index"])
        earlier = await self._session.get(TrainingSample, key)
        before = None if earlier is None else earlier.path
        await self._put(TrainingSample, [values])
        return None if before == values["path"] else before

    async def add_checkpoint(self, *, keep: int, **values: Any) -> Sequence[str]:
        """Keep a checkpoint, whose object is stored already, and the ``keep`` last ones of those
        before it; the paths of the others, which are to be removed after the commit."""
        step = values["step"]
        own = TrainingCheckpoint.task_id == self._task_id
        replaced = await self._session.scalars(
            delete(TrainingCheckpoint)
            .where(own, TrainingCheckpoint.step >= step)
            .returning(TrainingCheckpoint.path)
        )
        paths = list(replaced)
        await self._put(TrainingCheckpoint, [values])
        kept = (
            select(TrainingCheckpoint.step)
            .where(own)
            .order_by(TrainingCheckpoint.step.desc())
            .limit(keep + 1)
        )
        pruned = await self._session.scalars(
            delete(TrainingCheckpoint)
            .where(own, TrainingCheckpoint.step.not_in(kept))
            .returning(TrainingCheckpoint.path)
        )
        return [path for path in (*paths, *pruned) if path != values["path"]]

    async def drop_checkpoint(self, step: int) -> None:
        """Forget a checkpoint that nothing can be done with."""
        await self._session.execute(
            delete(TrainingCheckpoint).where(
                TrainingCheckpoint.task_id == self._task_id, TrainingCheckpoint.step == step
            )
        )

    async def _put(self, kind: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        table = kind.__table__
        key = [column.name for column in table.primary_key]
        statement = insert(table)
        new = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in key
        }
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=key, set_=new),
            [{"task_id": self._task_id, **row} for row in rows],
        )


async def checkpoints_of(session: ReadSession, task_id: str) -> Sequence[TrainingCheckpoint]:
    """The checkpoints of a training, the newest first."""
    found = await session.scalars(
        select(TrainingCheckpoint)
        .where(TrainingCheckpoint.task_id == task_id)
        .order_by(TrainingCheckpoint.step.desc())
    )
    return found.all()


async def undelivered(session: ReadSession) -> Sequence[str]:
    """Trainings that have completed without their adapter having been made."""
    found = await session.scalars(
        _open_ones().where(Training.delivered_at.is_(None), Task.status == TaskStatus.COMPLETED)
    )
    return [training.task_id for training in found]


async def unclosed(session: ReadSession) -> Sequence[Training]:
    """Trainings that have ended, with what only they needed still there."""
    is_done = (Task.status != TaskStatus.COMPLETED) | Training.delivered_at.is_not(None)
    found = await session.scalars(_open_ones().where(Task.status.in_(_ENDS), is_done))
    return found.all()


async def close(session: WriteSession, task_id: str) -> Sequence[UUID]:
    """A training needs nothing any more: forget its checkpoints, whose objects are gone, and let go
    of the pictures that it learned from. Their ids are answered, to be released."""
    of_it = TrainingCheckpoint.task_id == task_id
    await session.execute(delete(TrainingCheckpoint).where(of_it))
    media_ids = await session.scalars(
        delete(TrainingInput)
        .where(TrainingInput.task_id == task_id)
        .returning(TrainingInput.media_id)
    )
    closed = {"closed_at": func.clock_timestamp()}
    await session.execute(update(Training).where(Training.task_id == task_id).values(**closed))
    return media_ids.all()


def _open_ones() -> Select[Training]:
    return (
        select(Training)
        .join(Task, Task.id == Training.task_id)
        .where(Training.closed_at.is_(None))
        .order_by(Training.task_id)
        .limit(_AT_ONCE)
    )
