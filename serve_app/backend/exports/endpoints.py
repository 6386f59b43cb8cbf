"""``/exports``, and the action on a shooting that begins one."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.repositories.exports import ExportRepository
from serve_app.backend.exports import service
from serve_app.backend.exports.schemas import ExportCreate, ExportList, ExportRead
from serve_app.core.admission import admit
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import Reading, RequestResources, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting

router = Router(tags=["exports"])


@router.post(
    "/shootings/{shooting_id}/export",
    status_code=status.HTTP_201_CREATED,
    operation_id="export_shooting",
    response_model=ExportRead,
    responses=errors(*MEMBER, 409),
)
async def export(
    shooting_id: Annotated[UUID, Path(description="Id of a shooting.")],
    resources: RequestResources,
    caller: Caller,
    scope: Scope,
    session: Writing,
    sign: Signing,
    once: Idempotency,
    body: ExportCreate = ExportCreate(),  # noqa: B008 - frozen
) -> ExportRead | Response:
    """Pack the approved images into a ZIP with a manifest (CSV and JSON): a task. Ask
    `GET /exports/{export_id}` until it is completed."""

    async def make() -> ExportRead:
        await admit(session, scope, resources, ["export"], counted=0)
        row = await service.begin(session, scope, shooting_id, body, caller.user_id)
        (answer,) = await service.read_many(session, scope, [row], sign)
        return answer

    return await once.create(session, make)


@router.get("/exports/", operation_id="list_exports", responses=errors(*MEMBER))
async def list_exports(
    scope: Scope,
    session: Reading,
    sign: Signing,
    listing: Listed,
    shooting_id: Annotated[UUID | None, Query(description="Of this shooting.")] = None,
) -> ExportList:
    """Exports, the newest first."""
    with sorting():
        page = await ExportRepository(session, scope).list(
            **listing.arguments(), shooting_id=shooting_id
        )
    items = await service.read_many(session, scope, page.items, sign)
    return ExportList(items=items, total=page.total, page=page.page, size=page.size)


@router.get("/exports/{export_id}", operation_id="get_export", responses=errors(*MEMBER))
async def get(
    export_id: Annotated[UUID, Path(description="Id of an export.")],
    scope: Scope,
    session: Reading,
    sign: Signing,
) -> ExportRead:
    """One export, with its URL once it is completed."""
    row = found(await ExportRepository(session, scope).get(export_id), "Export")
    (answer,) = await service.read_many(session, scope, [row], sign)
    return answer
