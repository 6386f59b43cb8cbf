"""``/shot-types``: framing × view, the standard ones and an organization's own."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.models import Framing, View
from db.repositories.presets import ShotTypeRepository, ShotTypeWriter
from serve_app.backend.shot_types import service
from serve_app.backend.shot_types.schemas import (
    ShotTypeCreate,
    ShotTypeList,
    ShotTypeRead,
    ShotTypeUpdate,
)
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed, Standard
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned

router = Router(prefix="/shot-types", tags=["shot-types"])

ShotTypeId = Annotated[UUID, Path(description="Id of a shot type.")]


@router.get("/", operation_id="list_shot_types", responses=errors(*MEMBER))
async def list_shot_types(
    scope: Scope,
    session: Reading,
    listing: Listed,
    framing: Annotated[list[Framing] | None, Query(description="Only of these.")] = None,
    view: Annotated[list[View] | None, Query(description="Only from these.")] = None,
    is_standard: Standard = None,
) -> ShotTypeList:
    """The standard shot types and your organization's own, by their position unless you sort them.
    `q` looks in name and prompt; sort by `position`, `name`, `created_at` or `updated_at`."""
    with sorting():
        page = await ShotTypeRepository(session, scope).list(
            **listing.arguments("position"), framing=framing, view=view, is_standard=is_standard
        )
    items = [ShotTypeRead.model_validate(one) for one in page.items]
    return ShotTypeList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_shot_type",
    response_model=ShotTypeRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: ShotTypeCreate, scope: Scope, session: Writing, once: Idempotency
) -> ShotTypeRead | Response:
    """Add a shot type of your organization's own."""

    async def make() -> ShotTypeRead:
        added = await ShotTypeWriter(session, scope).add(**body.model_dump())
        return ShotTypeRead.model_validate(added)

    return await once.create(session, make)


@router.get("/{shot_type_id}", operation_id="get_shot_type", responses=errors(304, *MEMBER))
async def get(
    shot_type_id: ShotTypeId, scope: Scope, session: Reading, versions: Versioned
) -> ShotTypeRead:
    """One shot type."""
    shot_type = found(await ShotTypeRepository(session, scope).get(shot_type_id), "Shot type")
    versions.read(shot_type)
    return ShotTypeRead.model_validate(shot_type)


@router.patch("/{shot_type_id}", operation_id="update_shot_type", responses=errors(*MEMBER, 412))
async def update(
    shot_type_id: ShotTypeId,
    body: ShotTypeUpdate,
    scope: Scope,
    session: Writing,
    versions: Versioned,
) -> ShotTypeRead:
    """Change one of your organization's shot types. The standard ones stay as they are."""
    shot_type = await service.update(session, scope, shot_type_id, body, versions)
    versions.show(shot_type)
    return ShotTypeRead.model_validate(shot_type)


@router.delete(
    "/{shot_type_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_shot_type",
    responses=errors(*MEMBER, 409),
)
async def delete(shot_type_id: ShotTypeId, scope: Scope, session: Writing) -> Response:
    """Remove one of your organization's shot types. One that shots are of is refused."""
    await service.delete(session, scope, shot_type_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
