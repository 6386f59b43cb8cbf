"""Trainings as their owner sees them, and what becomes of one that has ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import defer

from db.models import (
    Adapter,
    EntityType,
    Product,
    Subject,
    Task,
    TaskStatus,
    Training,
    TrainingInput,
    TrainingSample,
    TrainingStep,
    TrainingValidation,
)
from db.repositories.adapters import AdapterWriter
from db.repositories.queue import NewTask, TaskQueue
from db.repositories.scope import OrganizationScope, Page, fetch_page
from db.session import ReadSession, WriteSession

OPEN = (TaskStatus.PENDING, TaskStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A training as it stands: its task, the last step done, and the adapter that it made."""

    training: Training
    task: Task
    step: TrainingStep | None
    adapter: Adapter | None


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """Everything that a training has measured, in the order of its steps."""

    steps: Sequence[TrainingStep]
    validations: Sequence[TrainingValidation]


class TrainingRepository:
    """One organization's trainings."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def get(self, task_id: str) -> TrainingState | None:
        """The training; unknown and another tenant's are the same."""
        found = await self._session.execute(
            _states().where(self._is_own(), Training.task_id == task_id),
            execution_options={"populate_existing": True},
        )
        row = found.one_or_none()
        return None if row is None else TrainingState(*row)

    async def get_many(self, task_ids: Collection[str]) -> dict[str, TrainingState]:
        """Those of the trainings that exist, by id, without the configs of their tasks."""
        if not task_ids:
            return {}
        found = await self._session.execute(
            _states()
            .where(self._is_own(), Training.task_id.in_(task_ids))
            .options(defer(Task.config, raiseload=True))
        )
        states = [TrainingState(*row) for row in found]
        return {one.training.task_id: one for one in states}

    async def list(
        self,
        *,
        page: int = 1,
        size: int = 20,
        statuses: Collection[TaskStatus] = (),
        base_model: str | None = None,
        output_name: str | None = None,
        entity_type: EntityType | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[TrainingState]:
        """Newest first; None and empty filters filter nothing."""
        query = select(Training.task_id).where(self._is_own())
        if statuses:
            query = query.join(Task, Task.id == Training.task_id).where(Task.status.in_(statuses))
        wanted = {
            Training.base_model: base_model,
            Training.output_name: output_name,
            Training.entity_type: entity_type,
        }
        query = query.where(*(column == value for column, value in wanted.items() if value))
        if created_after is not None:
            query = query.where(Training.created_at >= created_after)
        if created_before is not None:
            query = query.where(Training.created_at < created_before)
        order = Training.task_id.desc()
        ids: Page[str] = await fetch_page(
            self._session, query, page=page, size=size, order_by=order
        )
        found = await self._session.execute(
            _states().where(Training.task_id.in_(ids.items)).order_by(order)
        )
        return Page([TrainingState(*row) for row in found], ids.total, ids.page, ids.size)

    async def history(self, task_id: str, *, after: int = 0) -> TrainingHistory:
        """What a training measured from step ``after`` on, without that step."""
        return TrainingHistory(
            await self._by_step(TrainingStep, task_id, after),
            await self._by_step(TrainingValidation, task_id, after),
        )

    async def samples(self, task_id: str) -> Sequence[TrainingSample]:
        """The pictures that a training made, by step and prompt."""
        return await self._by_step(TrainingSample, task_id, -1)

    async def _by_step(self, kind: Any, task_id: str, after: int) -> Sequence[Any]:
        found = await self._session.scalars(
            select(kind)
            .join(Training, Training.task_id == kind.task_id)
            .where(self._is_own(), kind.task_id == task_id, kind.step > after)
            .order_by(*kind.__table__.primary_key.columns)
        )
        return found.all()

    def _is_own(self) -> Any:
        return Training.organization_id == self._scope.organization_id


def _states() -> Any:
    at_step = (TrainingStep.task_id == Training.task_id) & (TrainingStep.step == Training.step)
    return (
        select(Training, Task, TrainingStep, Adapter)
        .join(Task, Task.id == Training.task_id)
        .outerjoin(TrainingStep, at_step)
        .outerjoin(Adapter, Adapter.task_id == Training.task_id)
    )


class TrainingWriter(TrainingRepository):
    """One organization's trainings, and changes of them."""

    def __init__(self, session: WriteSession, scope: OrganizationScope) -> None:
        super().__init__(session, scope)
        self._session: WriteSession = session

    async def queue(
        self, task: NewTask, *, media_ids: Collection[UUID] = (), **values: Any
    ) -> TrainingState:
        """Queue a training.

        Args:
            task: that does it.
            media_ids: pictures of the studio that it learns from.
            values: ``base_model``, ``output_name``, ``entity_type``, ``trigger_word``,
                ``requested_by``.
        """
        await TaskQueue(self._session).enqueue(self._scope, task)
        await self.describe(task.id, **values)
        self._session.add_all(
            TrainingInput(task_id=task.id, media_id=media_id) for media_id in set(media_ids)
        )
        await self._session.flush()
        state = await self.get(task.id)
        assert state is not None
        return state

    async def describe(self, task_id: str, **values: Any) -> None:
        """Say what a task that is queued trains; ``values`` as for :meth:`queue`."""
        organization_id = self._scope.organization_id
        self._session.add(Training(task_id=task_id, organization_id=organization_id, **values))
        await self._session.flush()

    async def deliver(self, training: Training, **adapter: Any) -> Adapter:
        """Make the adapter of a training that has completed, and give it to what it was trained
        for, if that has not begun another training since.

        Args:
            training: locked, and not delivered yet.
            adapter: every column of it but ``version`` and ``task_id``.
        """
        made = await AdapterWriter(self._session, self._scope).create(
            task_id=training.task_id, **adapter
        )
        for owner in (Subject, Product):
            await self._session.execute(
                update(owner)
                .where(owner.training_id == training.task_id, self._owns(owner))
                .values(lora_id=made.id, updated_at=func.clock_timestamp())
            )
        training.delivered_at = func.clock_timestamp()
        await self._session.flush()
        return made

    def _owns(self, owner: type[Subject | Product]) -> Any:
        return owner.organization_id == self._scope.organization_id
