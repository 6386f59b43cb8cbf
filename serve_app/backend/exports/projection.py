"""What an export's end means for its images."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from db.models import Export, Task, TaskStatus
from db.repositories.exports import ExportWriter
from db.repositories.scope import OrganizationScope
from db.session import Database, WriteSession


class ExportProjection:
    """Marks the images of an archive as exported, in the transaction that settles its task.

    An export is settled by the runner that made it and by nobody else, so there is nothing to catch
    up with: a task that was cancelled or lost has delivered nothing.
    """

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """See `Observer.settled`."""
        exports = await session.scalars(
            select(Export)
            .join(Task, Task.id == Export.task_id)
            .where(Export.task_id.in_(task_ids), Task.status == TaskStatus.COMPLETED)
            .order_by(Export.id)
        )
        for export in exports.all():
            scope = OrganizationScope(export.organization_id)
            await ExportWriter(session, scope).mark_exported(export)

    async def catch_up(self, database: Database) -> None:
        """Nothing to do."""
