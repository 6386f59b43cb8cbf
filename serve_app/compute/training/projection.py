"""What the end of a training means: its adapter is made, once, and what only it needed goes.

The adapter is made in the transaction that settles the task. Should that part of it fail, or the
task have been settled elsewhere, it is caught up with soon after.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from db.models import AdapterSource, EntityType, Task, TaskStatus, Training
from db.repositories.scope import OrganizationScope
from db.repositories.training_log import close, unclosed, undelivered
from db.repositories.trainings import TrainingWriter
from db.session import Database, WriteSession
from serve_app.compute.training.records import folder_of
from serve_app.core.media import MediaLibrary
from serve_app.core.resources import Resources
from serve_app.core.storage.base import StorageUnavailable

logger = logging.getLogger(__name__)


class TrainingProjection:
    """What the runner tells of trainings that have ended."""

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """Make the adapters of trainings that have completed and have none yet."""
        trainings = await session.scalars(
            select(Training)
            .where(Training.task_id.in_(task_ids), Training.delivered_at.is_(None))
            .order_by(Training.task_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        for training in trainings.all():
            await self._deliver(session, training)

    async def _deliver(self, session: WriteSession, training: Training) -> None:
        task = await session.get_one(Task, training.task_id, populate_existing=True)
        if task.status is TaskStatus.COMPLETED:
            scope = OrganizationScope(training.organization_id)
            await TrainingWriter(session, scope).deliver(training, **_adapter_of(task, training))

    async def catch_up(self, database: Database) -> None:
        """See to those that were completed without it, each in a transaction of its own."""
        async with database.read() as session:
            waiting = await undelivered(session)
        for task_id in waiting:
            try:
                async with database.write() as session:
                    await self.settled(session, [task_id])
            except Exception:
                # The others must not wait for it.
                logger.exception("the adapter of %s could not be made", task_id)


def _adapter_of(task: Task, training: Training) -> dict[str, Any]:
    """The columns of the adapter that a completed task has stored."""
    assert task.output is not None
    lora = task.output["lora"]
    return {
        "name": training.output_name,
        "source": AdapterSource.TRAINED,
        "entity_type": EntityType(training.entity_type),
        "base_model": training.base_model,
        "base_model_hash": lora["metadata"].get("base_model_hash"),
        "family": task.config["family"],
        "rank": task.config["settings"]["rank"],
        "trigger_word": training.trigger_word,
        "path": lora["path"],
        "size": lora["size"],
        "sha256": lora["sha256"],
        "facts": {
            "header": lora["metadata"],
            "best": task.output["best"],
            "last": task.output["last"],
        },
    }


async def close_trainings(resources: Resources) -> None:
    """Remove what trainings that have ended needed: their checkpoints, and their hold on pictures
    of the studio. Any number of processes may."""
    async with resources.database.read() as session:
        ended = await unclosed(session)
    for training in ended:
        folder = folder_of(training.organization_id.hex, training.task_id)
        try:
            # Before the row says so: a process that dies in between leaves nothing.
            await resources.store.delete_prefix(f"{folder}/checkpoints")
        except StorageUnavailable as error:
            logger.warning("closing %s: %s", training.task_id, error)
            continue
        library = MediaLibrary(resources, OrganizationScope(training.organization_id))
        async with resources.database.write() as session:
            await library.release(session, await close(session, training.task_id))
