"""``/looks``: what is worn by whom, and the shots that are made of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response, status

from db.repositories.looks import LookRepository
from serve_app.backend.looks import service
from serve_app.backend.looks.schemas import LookCreate, LookList, LookRead, LookUpdate
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned, newest

router = Router(prefix="/looks", tags=["looks"])

LookId = Annotated[UUID, Path(description="Id of a look.")]


@router.get("/", operation_id="list_looks", responses=errors(*MEMBER))
async def list_looks(
    scope: Scope,
    session: Reading,
    listing: Listed,
    sign: Signing,
    shooting_id: UUID | None = None,
    main_product_id: UUID | None = None,
    subject_id: UUID | None = None,
    style_id: UUID | None = None,
) -> LookList:
    """Your organization's looks. `q` looks in name and outfit instructions; sort by `name`,
    `created_at` or `updated_at`."""
    with sorting():
        page = await LookRepository(session, scope).list(
            **listing.arguments(),
            shooting_id=shooting_id,
            main_product_id=main_product_id,
            subject_id=subject_id,
            style_id=style_id,
        )
    items = [await LookRead.of(one, sign) for one in page.items]
    return LookList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_look",
    response_model=LookRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: LookCreate, scope: Scope, session: Writing, once: Idempotency, sign: Signing
) -> LookRead | Response:
    """Add a look to a shooting; the same as `POST /shootings/{shooting_id}/looks`."""

    async def make() -> LookRead:
        look = await service.create(session, scope, body.shooting_id, body)
        return await LookRead.of(look, sign)

    return await once.create(session, make)


@router.get("/{look_id}", operation_id="get_look", responses=errors(304, *MEMBER))
async def get(
    look_id: LookId, scope: Scope, session: Reading, versions: Versioned, sign: Signing
) -> LookRead:
    """One look, with its shots."""
    look = found(await LookRepository(session, scope).get(look_id), "Look")
    versions.read(newest(look, *look.shots), has_urls=True)
    return await LookRead.of(look, sign)


@router.patch("/{look_id}", operation_id="update_look", responses=errors(*MEMBER, 409, 412))
async def update(
    look_id: LookId,
    body: LookUpdate,
    scope: Scope,
    session: Writing,
    versions: Versioned,
    sign: Signing,
) -> LookRead:
    """Change a look. `shot_type_ids` adds and removes shots; one with images cannot be removed."""
    look = await service.update(session, scope, look_id, body, versions)
    versions.show(newest(look, *look.shots), has_urls=True)
    return await LookRead.of(look, sign)


@router.delete(
    "/{look_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_look",
    responses=errors(*MEMBER, 409),
)
async def delete(look_id: LookId, scope: Scope, session: Writing) -> Response:
    """Remove a look with its shots. One with images is refused."""
    await service.delete(session, scope, look_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
