"""Generations, the tasks that they consist of, and the images that come out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import any_, exists, func, select, update

from db.models import (
    EventKind,
    Generation,
    GenerationInput,
    GenerationStep,
    Organization,
    Prediction,
    Shooting,
    Shot,
    ShotRevision,
    ShotStatus,
    StepKind,
    Task,
    TaskStatus,
)
from db.repositories.children import Children, as_array
from db.repositories.events import EventWriter
from db.repositories.queue import NewTask, TaskQueue
from db.repositories.scope import Page
from db.repositories.scoped import ScopedRepository, ScopedWriter
from db.session import ReadSession

OPEN = (TaskStatus.PENDING, TaskStatus.RUNNING)
_IS_UNTOUCHED = (Task.status == TaskStatus.PENDING, Task.attempt == 0)


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far a task of a generation is; ``progress`` in [0, 1]."""

    generation_id: UUID
    kind: StepKind
    attempt: int
    index: int
    task_id: str
    status: TaskStatus
    progress: float


class GenerationRepository(ScopedRepository[Generation]):
    """An organization's generations, with their predictions."""

    model = Generation
    searched = (Generation.prompt,)
    sorts = {  # noqa: RUF012
        "created_at": Generation.created_at,
        "completed_at": Generation.completed_at,
    }
    children = (
        Children(
            Generation.predictions,
            Prediction.generation_id,
            without=(
                Prediction.organization_id,
                Prediction.shot_id,
                Prediction.content_type,
                Prediction.size,
                Prediction.sha256,
                Prediction.created_at,
                Prediction.updated_at,
            ),
        ),
    )

    async def with_status(self, status: TaskStatus | None, **arguments: Any) -> Page[Generation]:
        """As :meth:`list`; ``running`` is one of which a task has been started."""
        where = []
        if status in OPEN:
            has_started = exists().where(
                GenerationStep.generation_id == Generation.id,
                GenerationStep.task_id == Task.id,
                Task.status != TaskStatus.PENDING,
            )
            is_running = status is TaskStatus.RUNNING
            where = [Generation.status == TaskStatus.PENDING, has_started == is_running]
        elif status is not None:
            where = [Generation.status == status]
        return await self.list(where=where, **arguments)

    async def progress(self, ids: Collection[UUID]) -> Sequence[StepProgress]:
        """The tasks of some generations."""
        rows = await self._session.execute(
            select(
                GenerationStep.generation_id,
                GenerationStep.kind,
                GenerationStep.attempt,
                GenerationStep.index,
                Task.id,
                Task.status,
                Task.progress,
            )
            .join(Task, Task.id == GenerationStep.task_id)
            .where(
                GenerationStep.generation_id == any_(as_array(ids)),
                GenerationStep.organization_id == self._scope.organization_id,
            )
        )
        return [StepProgress(*row) for row in rows]


class GenerationWriter(GenerationRepository, ScopedWriter[Generation]):
    """Generations, and changes of them. Its own rows are locked before those of a shot."""

    async def keep_inputs(self, generation: Generation, media_ids: Collection[UUID]) -> None:
        """Keep pictures for as long as the generation that was made from them."""
        self._session.add_all(
            GenerationInput(
                generation_id=generation.id,
                media_id=media_id,
                organization_id=self._scope.organization_id,
            )
            for media_id in set(media_ids)
        )
        await self._session.flush()

    async def inputs_of(self, generation_id: UUID) -> Sequence[UUID]:
        """The pictures that a generation was made from."""
        found = await self._session.scalars(
            select(GenerationInput.media_id).where(GenerationInput.generation_id == generation_id)
        )
        return found.all()

    async def add_step(
        self, generation: Generation, kind: StepKind, task: NewTask, *, index: int = 0
    ) -> None:
        """Queue a task of the generation's present attempt."""
        await TaskQueue(self._session).enqueue(self._scope, task)
        self._session.add(
            GenerationStep(
                task_id=task.id,
                organization_id=self._scope.organization_id,
                generation_id=generation.id,
                kind=kind,
                attempt=generation.attempt,
                index=index,
            )
        )
        await self._session.flush()

    async def replace_step(
        self, generation: Generation, step: GenerationStep, kind: StepKind, task: NewTask
    ) -> None:
        """Queue a task in place of one that has ended without being of use."""
        index = step.index
        await self._session.delete(step)
        await self._session.flush()
        await self.add_step(generation, kind, task, index=index)

    async def withdraw(self, task_id: str, *, tried: bool = False) -> float | None:
        """Cancel a task that nobody has begun with, or with ``tried`` one that waits for its next
        attempt as well; how many seconds ago it was queued. None: somebody is at it, or is about
        to be."""
        which = (Task.status == TaskStatus.PENDING,) if tried else _IS_UNTOUCHED
        waited = await self._session.scalar(
            select(func.extract("epoch", func.clock_timestamp() - Task.created_at))
            .where(Task.id == task_id, *which)
            .with_for_update(skip_locked=True)
        )
        if waited is None:
            return None
        await TaskQueue(self._session).cancel(self._scope, task_id)
        return float(waited)

    async def open_tasks(self, generation_id: UUID) -> Sequence[str]:
        """Tasks whose outcome has not been drawn into the generation, in the order of their ids."""
        found = await self._session.scalars(
            select(GenerationStep.task_id)
            .where(
                GenerationStep.generation_id == generation_id,
                GenerationStep.projected_at.is_(None),
            )
            .order_by(GenerationStep.task_id)
        )
        return found.all()

    async def close_steps(self, generation_id: UUID) -> None:
        """What becomes of the generation's tasks does not matter any more."""
        await self._session.execute(
            update(GenerationStep)
            .where(
                GenerationStep.generation_id == generation_id,
                GenerationStep.projected_at.is_(None),
            )
            .values(projected_at=func.now())
        )

    async def add_predictions(self, generation: Generation) -> Sequence[Prediction]:
        """One prediction for each of the generation's images."""
        names = ("path", "content_type", "width", "height", "size", "sha256", "seed", "scores")
        predictions = [
            Prediction(
                organization_id=generation.organization_id,
                generation_id=generation.id,
                shot_id=generation.shot_id,
                index=index,
                **{name: image.get(name) for name in names},
            )
            for index, image in enumerate(generation.images)
        ]
        self._session.add_all(predictions)
        await self._session.flush()
        return predictions

    async def lock_shot(self, shot_id: UUID) -> Shot | None:
        """The shot, which nobody else changes until this transaction ends."""
        shot: Shot | None = await self._session.scalar(
            select(Shot)
            .where(Shot.id == shot_id, Shot.organization_id == self._scope.organization_id)
            .with_for_update(),
            execution_options={"populate_existing": True},
        )
        return shot

    async def set_shot(self, shot: Shot, status: ShotStatus, **values: Any) -> None:
        """The status of a shot and of its current revision."""
        for name, value in (values | {"status": status}).items():
            setattr(shot, name, value)
        shot.updated_at = func.clock_timestamp()
        await self._session.flush()
        await self._session.execute(
            update(ShotRevision)
            .where(ShotRevision.shot_id == shot.id, ShotRevision.number == shot.revision)
            .values(status=status)
        )

    async def shots_of(self, shooting_id: UUID) -> Sequence[Shot] | None:
        """The shots of a shooting, in their order; None: there is no such shooting."""
        own = Shooting.organization_id == self._scope.organization_id
        if await self._session.scalar(select(Shooting.id).where(Shooting.id == shooting_id, own)):
            shots = await self._session.scalars(
                select(Shot).where(Shot.shooting_id == shooting_id).order_by(Shot.id)
            )
            return shots.all()
        return None

    async def has_images(self, shot: Shot) -> bool:
        """Whether the shot's current revision has an image."""
        found = await self._session.scalar(
            select(
                exists().where(
                    Prediction.shot_id == shot.id,
                    Prediction.generation_id == Generation.id,
                    Generation.revision == shot.revision,
                )
            )
        )
        return bool(found)

    async def log(self, kind: EventKind, generation: Generation) -> None:
        """Append to the organization's event log; the last statement of a transaction."""
        data = {
            "shot_id": str(generation.shot_id),
            "status": generation.status.value,
            "error": generation.error,
            "error_code": generation.error_code,
        }
        known = {name: value for name, value in data.items() if value is not None}
        await EventWriter(self._session, self._scope).append(kind, str(generation.id), known)


async def overdue_tasks(session: ReadSession, *, limit: int) -> Sequence[str]:
    """Tasks that nobody has begun with for longer than their organizations let generations wait,
    of those generations that another model may make."""
    patience = func.make_interval(0, 0, 0, 0, 0, 0, Organization.fallback_after_seconds)
    found = await session.scalars(
        select(GenerationStep.task_id)
        .join(Task, Task.id == GenerationStep.task_id)
        .join(Generation, Generation.id == GenerationStep.generation_id)
        .join(Organization, Organization.id == GenerationStep.organization_id)
        .where(
            GenerationStep.projected_at.is_(None),
            GenerationStep.kind == StepKind.GENERATE,
            *_IS_UNTOUCHED,
            Task.created_at < func.now() - patience,
            Generation.recipe.has_key("fallback"),
        )
        .order_by(GenerationStep.created_at)
        .limit(limit)
    )
    return found.all()


async def unanswered_questions(
    session: ReadSession, *, seconds: float, limit: int
) -> Sequence[str]:
    """Questions of generations to language models that were queued so long ago, and that nobody is
    at."""
    found = await session.scalars(
        select(GenerationStep.task_id)
        .join(Task, Task.id == GenerationStep.task_id)
        .where(
            GenerationStep.projected_at.is_(None),
            Task.type == "llm",
            Task.status == TaskStatus.PENDING,
            Task.created_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds),
        )
        .order_by(GenerationStep.created_at)
        .limit(limit)
    )
    return found.all()
