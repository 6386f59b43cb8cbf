"""What becomes of answers: the caption of a product stands on the product.

Runs in the transaction that settles the task; what nobody was told of is caught up with soon after.
"""

from __future__ import annotations

from collections.abc import Sequence

from db.repositories.captions import CaptionOrders, CaptionTask
from db.repositories.products import ProductWriter
from db.repositories.scope import OrganizationScope
from db.session import Database, WriteSession

_AT_ONCE = 100


class CaptionProjection:
    """What the runner tells of tasks that have ended."""

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """Write captions to the products that wait for them, if those are still there."""
        for task in await CaptionOrders(session).ended(task_ids):
            await _write(session, task)

    async def catch_up(self, database: Database) -> None:
        """Write those whose runner was lost, or that were ended by somebody else."""
        async with database.read() as session:
            waiting = await CaptionOrders(session).all_ended(limit=_AT_ONCE)
        for task in waiting:
            async with database.write() as session:
                await self.settled(session, [task.task_id])


async def _write(session: WriteSession, task: CaptionTask) -> None:
    if task.output is not None:
        products = ProductWriter(session, OrganizationScope(task.organization_id))
        product = await products.lock(task.product_id)
        if product is not None and product.caption_task_id == task.task_id:
            await products.change(product, {"caption": task.output["answer"]["caption"]})
    await CaptionOrders(session).done(task.product_id, task.task_id)
