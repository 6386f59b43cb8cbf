"""Exports, and what goes into them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import aliased

from db.models import (
    Brand,
    Export,
    Look,
    Prediction,
    PredictionStatus,
    Product,
    Shooting,
    Shot,
    ShotRevision,
    ShotStatus,
    ShotType,
    Subject,
    Task,
    User,
)
from db.repositories.scoped import ScopedRepository, ScopedWriter


@dataclass(frozen=True, slots=True)
class Deliverable:
    """An approved shot with its image, and what its name may say."""

    shot: Shot
    prediction: Prediction
    shot_type: ShotType
    look: Look
    product: Product
    subject: Subject
    approved_at: datetime | None
    approved_by: str | None


class ExportRepository(ScopedRepository[Export]):
    """An organization's exports."""

    model = Export
    sorts = {"created_at": Export.created_at}  # noqa: RUF012

    async def tasks(self, exports: Collection[Export]) -> dict[str, Task]:
        """The tasks of some exports, by id."""
        ids = [one.task_id for one in exports]
        own = Task.organization_id == self._scope.organization_id
        tasks = await self._session.scalars(select(Task).where(Task.id.in_(ids), own))
        return {task.id: task for task in tasks}

    async def shooting(self, shooting_id: UUID) -> tuple[Shooting, Brand] | None:
        """A shooting and its brand."""
        row = await self._session.execute(
            select(Shooting, Brand)
            .join(Brand, Brand.id == Shooting.brand_id)
            .where(
                Shooting.id == shooting_id,
                Shooting.organization_id == self._scope.organization_id,
            )
        )
        found = row.one_or_none()
        return None if found is None else (found[0], found[1])

    async def deliverables(self, shooting_id: UUID) -> Sequence[Deliverable]:
        """The approved shots of a shooting, look by look."""
        reviewer = aliased(User)
        rows = await self._session.execute(
            select(
                Shot,
                Prediction,
                ShotType,
                Look,
                Product,
                Subject,
                ShotRevision.decided_at,
                reviewer.email,
            )
            .join(
                ShotRevision,
                (ShotRevision.shot_id == Shot.id) & (ShotRevision.number == Shot.revision),
            )
            .join(Prediction, Prediction.id == ShotRevision.prediction_id)
            .join(ShotType, ShotType.id == Shot.shot_type_id)
            .join(Look, Look.id == Shot.look_id)
            .join(Product, Product.id == Look.main_product_id)
            .join(Subject, Subject.id == Look.subject_id)
            .outerjoin(reviewer, reviewer.id == ShotRevision.decided_by)
            .where(
                Shot.shooting_id == shooting_id,
                Shot.organization_id == self._scope.organization_id,
                Shot.status == ShotStatus.APPROVED,
            )
            .order_by(Look.id, Shot.position, Shot.id)
        )
        return [Deliverable(*row) for row in rows]


class ExportWriter(ExportRepository, ScopedWriter[Export]):
    """Exports, and changes of them."""

    async def mark_exported(self, export: Export) -> None:
        """Its images have been delivered, unless their approval was taken back meanwhile."""
        values: dict[str, Any] = {"status": PredictionStatus.EXPORTED}
        await self._session.execute(
            update(Prediction)
            .where(
                Prediction.id.in_([UUID(one) for one in export.prediction_ids]),
                Prediction.organization_id == self._scope.organization_id,
                Prediction.status == PredictionStatus.APPROVED,
            )
            .values(values)
        )
