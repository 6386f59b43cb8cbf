"""``/shootings``: sessions, their looks, and how far they are."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.models import ShootingPhase
from db.repositories.looks import LookRepository
from db.repositories.shootings import ShootingRepository
from serve_app.backend.looks import service as looks
from serve_app.backend.looks.schemas import LookList, LookOfShootingCreate, LookRead
from serve_app.backend.shootings import service
from serve_app.backend.shootings.schemas import (
    ShootingCreate,
    ShootingList,
    ShootingProgress,
    ShootingRead,
    ShootingUpdate,
)
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Archived, Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.text import Storable
from serve_app.core.versions import Versioned

router = Router(prefix="/shootings", tags=["shootings"])

ShootingId = Annotated[UUID, Path(description="Id of a shooting.")]


@router.get("/", operation_id="list_shootings", responses=errors(*MEMBER))
async def list_shootings(
    scope: Scope,
    session: Reading,
    listing: Listed,
    archived: Archived = None,
    brand_id: UUID | None = None,
    guideline_id: UUID | None = None,
    phase: ShootingPhase | None = None,
    season: Annotated[str | None, Query(max_length=100), Storable] = None,
    collection: Annotated[str | None, Query(max_length=200), Storable] = None,
    due_before: Annotated[
        date | None, Query(description="Due before this day; those without a date are left out.")
    ] = None,
) -> ShootingList:
    """Your organization's shootings. `q` looks in name, description, season and collection; sort by
    `name`, `due_date`, `created_at` or `updated_at`."""
    with sorting():
        page = await ShootingRepository(session, scope).list(
            **listing.arguments(),
            archived=archived,
            brand_id=brand_id,
            guideline_id=guideline_id,
            phase=phase,
            season=season,
            collection=collection,
            due_before=due_before,
        )
    items = [ShootingRead.model_validate(one) for one in page.items]
    return ShootingList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_shooting",
    response_model=ShootingRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: ShootingCreate, scope: Scope, session: Writing, once: Idempotency
) -> ShootingRead | Response:
    """Make a shooting."""

    async def make() -> ShootingRead:
        return ShootingRead.model_validate(await service.create(session, scope, body))

    return await once.create(session, make)


@router.get("/{shooting_id}", operation_id="get_shooting", responses=errors(304, *MEMBER))
async def get(
    shooting_id: ShootingId, scope: Scope, session: Reading, versions: Versioned
) -> ShootingRead:
    """One shooting."""
    shooting = found(await ShootingRepository(session, scope).get(shooting_id), "Shooting")
    versions.read(shooting)
    return ShootingRead.model_validate(shooting)


@router.patch("/{shooting_id}", operation_id="update_shooting", responses=errors(*MEMBER, 412))
async def update(
    shooting_id: ShootingId,
    body: ShootingUpdate,
    scope: Scope,
    session: Writing,
    versions: Versioned,
) -> ShootingRead:
    """Change a shooting; `is_archived` takes it out of the way."""
    shooting = await service.update(session, scope, shooting_id, body, versions)
    versions.show(shooting)
    return ShootingRead.model_validate(shooting)


@router.delete(
    "/{shooting_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_shooting",
    responses=errors(*MEMBER, 409),
)
async def delete(shooting_id: ShootingId, scope: Scope, session: Writing) -> Response:
    """Remove a shooting with its looks and shots. One with images is refused; archive it
    instead."""
    await service.delete(session, scope, shooting_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get(
    "/{shooting_id}/progress", operation_id="get_shooting_progress", responses=errors(*MEMBER)
)
async def progress(shooting_id: ShootingId, scope: Scope, session: Reading) -> ShootingProgress:
    """How many of its shots are in each state."""
    shootings = ShootingRepository(session, scope)
    found(await shootings.get(shooting_id), "Shooting")
    return ShootingProgress.of(await shootings.progress(shooting_id))


@router.get("/{shooting_id}/looks", operation_id="list_shooting_looks", responses=errors(*MEMBER))
async def list_looks(
    shooting_id: ShootingId, scope: Scope, session: Reading, listing: Listed, sign: Signing
) -> LookList:
    """The looks of a shooting, with their shots."""
    found(await ShootingRepository(session, scope).get(shooting_id), "Shooting")
    with sorting():
        page = await LookRepository(session, scope).list(
            **listing.arguments(), shooting_id=shooting_id
        )
    items = [await LookRead.of(one, sign) for one in page.items]
    return LookList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/{shooting_id}/looks",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_shooting_look",
    response_model=LookRead,
    responses=errors(*MEMBER, 409),
)
async def create_look(
    shooting_id: ShootingId,
    body: LookOfShootingCreate,
    scope: Scope,
    session: Writing,
    once: Idempotency,
    sign: Signing,
) -> LookRead | Response:
    """Add a look; it makes one shot for each of its shot types."""

    async def make() -> LookRead:
        return await LookRead.of(await looks.create(session, scope, shooting_id, body), sign)

    return await once.create(session, make)
