"""What becomes of answers: the caption of a product stands on the product."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from db.models import Task, TaskStatus
from db.repositories.products import ProductWriter
from db.repositories.scope import OrganizationScope
from db.session import Database, WriteSession


class CaptionProjection:
    """What the runner tells of tasks that have ended."""

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """Write captions to the products they are of, if those are still there."""
        for task_id in task_ids:
            await self._settled(session, task_id)

    async def _settled(self, session: WriteSession, task_id: str) -> None:
        task = await session.get(Task, task_id, populate_existing=True)
        if task is None or task.type != "llm" or task.status is not TaskStatus.COMPLETED:
            return
        product_id = task.config.get("about", {}).get("product_id")
        if product_id is None or task.output is None:
            return
        products = ProductWriter(session, OrganizationScope(task.organization_id))
        product = await products.lock(UUID(product_id))
        if product is not None:
            await products.change(product, {"caption": task.output["answer"]["caption"]})

    async def catch_up(self, database: Database) -> None:
        """Nothing: a caption that could not be written is asked for again by who misses it."""
