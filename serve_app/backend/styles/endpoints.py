"""``/styles``: how pictures should look."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response, status

from db.repositories.styles import StyleRepository
from serve_app.backend.styles import service
from serve_app.backend.styles.schemas import StyleCreate, StyleList, StyleRead, StyleUpdate
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Archived, Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned

router = Router(prefix="/styles", tags=["styles"])

StyleId = Annotated[UUID, Path(description="Id of a style.")]


@router.get("/", operation_id="list_styles", responses=errors(*MEMBER))
async def list_styles(
    scope: Scope, session: Reading, listing: Listed, archived: Archived = None
) -> StyleList:
    """Your organization's styles. `q` looks in name, description and prompt; sort by `name`,
    `created_at` or `updated_at`."""
    with sorting():
        page = await StyleRepository(session, scope).list(**listing.arguments(), archived=archived)
    items = [StyleRead.model_validate(one) for one in page.items]
    return StyleList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_style",
    response_model=StyleRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: StyleCreate, scope: Scope, session: Writing, once: Idempotency
) -> StyleRead | Response:
    """Make a style."""

    async def make() -> StyleRead:
        return StyleRead.model_validate(await service.create(session, scope, body))

    return await once.create(session, make)


@router.get("/{style_id}", operation_id="get_style", responses=errors(304, *MEMBER))
async def get(style_id: StyleId, scope: Scope, session: Reading, versions: Versioned) -> StyleRead:
    """One style."""
    style = found(await StyleRepository(session, scope).get(style_id), "Style")
    versions.read(style)
    return StyleRead.model_validate(style)


@router.patch("/{style_id}", operation_id="update_style", responses=errors(*MEMBER, 412))
async def update(
    style_id: StyleId, body: StyleUpdate, scope: Scope, session: Writing, versions: Versioned
) -> StyleRead:
    """Change a style; `is_archived` takes it out of the way."""
    style = await service.update(session, scope, style_id, body, versions)
    versions.show(style)
    return StyleRead.model_validate(style)


@router.delete(
    "/{style_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_style",
    responses=errors(*MEMBER, 409),
)
async def delete(style_id: StyleId, scope: Scope, session: Writing) -> Response:
    """Remove a style. One that is in use is refused; archive it instead."""
    await service.delete(session, scope, style_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
