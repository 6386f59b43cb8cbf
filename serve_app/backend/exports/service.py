"""Exports begun, and what the API answers about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from db.models import Brand, Export, Shooting, Task
from db.repositories.exports import Deliverable, ExportRepository, ExportWriter
from db.repositories.queue import NewTask, TaskQueue
from db.repositories.scope import OrganizationScope
from db.session import ReadSession, WriteSession
from serve_app.backend.exports.naming import Names
from serve_app.backend.exports.schemas import ExportCreate, ExportRead
from serve_app.core.dependencies import Sign
from serve_app.core.errors import Conflict
from serve_app.core.orders import MAX_ATTEMPTS
from serve_app.core.references import check_references
from serve_app.core.rows import found

_AS_IT_IS = {"name": ""}
_MOST_ENTRIES = 5000


class NothingToExport(Conflict):
    """No shot is approved."""

    code = "nothing_to_export"
    default_detail = "No shot of this shooting is approved yet"


class NotApproved(Conflict):
    """A shot that was asked for is not approved."""

    code = "not_approved"


async def begin(
    session: WriteSession,
    scope: OrganizationScope,
    shooting_id: UUID,
    body: ExportCreate,
    user_id: UUID | None,
) -> Export:
    """Queue the packing of a shooting's approved images, as they are approved now.

    Raises:
        NotFound: there is no such shooting, or a shot that was asked for is not there.
        NothingToExport, NotApproved: as they say.
    """
    exports = ExportWriter(session, scope)
    shooting, brand = found(await exports.shooting(shooting_id), "Shooting")
    await check_references(session, scope, {"shot_ids": body.shot_ids})
    chosen = _chosen(await exports.deliverables(shooting_id), body.shot_ids)
    names = Names(body.filename_template, shooting, brand, body.format.value)
    entries = [
        {
            "path": one.prediction.path,
            "filename": names.of(one, index),
            "facts": _facts(one, shooting, brand),
        }
        for index, one in enumerate(chosen, 1)
    ]
    task = NewTask(
        type="export",
        queue="export",
        config={
            "name": f"{_slug(shooting)}.zip",
            "shooting": {"id": str(shooting.id), "name": shooting.name, "brand": brand.name},
            "format": body.format.value,
            "quality": body.quality,
            "layouts": [layout.model_dump() for layout in body.layouts] or [_AS_IT_IS],
            "entries": entries,
        },
        max_attempts=MAX_ATTEMPTS,
    )
    await TaskQueue(session).enqueue(scope, task)
    return await exports.add(
        shooting_id=shooting_id,
        task_id=task.id,
        options=body.model_dump(mode="json"),
        prediction_ids=[str(one.prediction.id) for one in chosen],
        requested_by=user_id,
    )


def _chosen(
    approved: Sequence[Deliverable], shot_ids: Sequence[UUID] | None
) -> Sequence[Deliverable]:
    if shot_ids is not None:
        by_id = {one.shot.id: one for one in approved}
        missing = [str(shot_id) for shot_id in shot_ids if shot_id not in by_id]
        if missing:
            raise NotApproved(f"These shots are not approved: {', '.join(missing[:10])}")
        approved = [by_id[shot_id] for shot_id in dict.fromkeys(shot_ids)]
    if not approved:
        raise NothingToExport
    if len(approved) > _MOST_ENTRIES:
        raise NotApproved(f"At most {_MOST_ENTRIES} images at once; name them with shot_ids")
    return approved


def _facts(one: Deliverable, shooting: Shooting, brand: Brand) -> dict[str, Any]:
    """The columns of the manifest, besides those of the file."""
    return {
        "sku": one.product.sku,
        "product": one.product.name,
        "brand": brand.name,
        "shooting": shooting.name,
        "look": one.look.name or "",
        "subject": one.subject.name,
        "framing": one.shot_type.framing.value,
        "view": one.shot_type.view.value,
        "shot_id": str(one.shot.id),
        "revision": one.shot.revision,
        "prediction_id": str(one.prediction.id),
        "seed": one.prediction.seed,
        "approved_at": one.approved_at.isoformat() if one.approved_at else "",
        "approved_by": one.approved_by or "",
    }


def _slug(shooting: Shooting) -> str:
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in shooting.name.lower())
    return "-".join(filter(None, letters.split("-")))[:60] or "shooting"


async def read_many(
    session: ReadSession, scope: OrganizationScope, exports: Sequence[Export], sign: Sign
) -> list[ExportRead]:
    """What the API answers about exports."""
    tasks = await ExportRepository(session, scope).tasks(exports)
    return [await _read(one, tasks[one.task_id], sign) for one in exports]


async def _read(export: Export, task: Task, sign: Sign) -> ExportRead:
    file = (task.output or {}).get("file")
    return ExportRead(
        id=export.id,
        shooting_id=export.shooting_id,
        task_id=export.task_id,
        status=task.status.value,
        progress=task.progress,
        url=await sign(file["path"]) if file else None,
        size=file["size"] if file else None,
        files=file["files"] if file else None,
        options=export.options,
        error=task.error,
        created_at=export.created_at,
        completed_at=task.completed_at,
    )
