"""Captions of products that have been asked for, and are not written to their products yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from db.models import Product, Task, TaskStatus
from db.session import ReadSession, WriteSession

_ENDS = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class CaptionTask:
    """A task that has ended, and the product that waits for its answer; ``output`` is None if there
    is none."""

    task_id: str
    product_id: UUID
    organization_id: UUID
    output: dict[str, Any] | None


class CaptionOrders:
    """Which product waits for which task. Products keep their versions: nothing of them changes."""

    def __init__(self, session: ReadSession | WriteSession) -> None:
        self._session = session

    async def asked(self, product_id: UUID, task_id: str) -> None:
        """A product waits for a task; not any more for one of before."""
        await self._set(Product.id == product_id, task_id)

    async def done(self, product_id: UUID, task_id: str) -> None:
        """What the task has said is written, or will not be."""
        await self._set((Product.id == product_id) & (Product.caption_task_id == task_id), None)

    async def ended(self, task_ids: Collection[str]) -> Sequence[CaptionTask]:
        """Those of the tasks that products wait for."""
        return await self._find(Task.id.in_(task_ids))

    async def all_ended(self, *, limit: int) -> Sequence[CaptionTask]:
        """Every task that has ended, and that a product still waits for."""
        return await self._find(Task.status.in_(_ENDS), limit=limit)

    async def _find(self, which: Any, *, limit: int | None = None) -> Sequence[CaptionTask]:
        rows = await self._session.execute(
            select(Task.id, Product.id, Product.organization_id, Task.output)
            .join(Product, Product.caption_task_id == Task.id)
            .where(which)
            .order_by(Product.id)
            .limit(limit)
        )
        return [CaptionTask(*row) for row in rows]

    async def _set(self, which: Any, task_id: str | None) -> None:
        await self._session.execute(
            update(Product)
            .where(which)
            .values(caption_task_id=task_id, updated_at=Product.updated_at)
            .execution_options(synchronize_session=False)
        )
