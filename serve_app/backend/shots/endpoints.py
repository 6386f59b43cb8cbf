"""``/shots``: the deliverables, and the decisions about them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response, status

from db.models import Shot, ShotStatus
from db.repositories.shots import ShotRepository
from serve_app.backend.shots import service
from serve_app.backend.shots.review import Review
from serve_app.backend.shots.schemas import (
    ShotApprove,
    ShotList,
    ShotRead,
    ShotReject,
    ShotRequestRevision,
    ShotUnapprove,
    ShotUpdate,
)
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import Reading, Sign, Signing, Writing
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned, Versions, newest

router = Router(prefix="/shots", tags=["shots"])

ShotId = Annotated[UUID, Path(description="Id of a shot.")]


async def _review(session: Writing, caller: Caller, versions: Versioned) -> Review:
    return Review(session, caller, versions)


Reviewing = Annotated[Review, Depends(_review)]


@router.get("/", operation_id="list_shots", responses=errors(*MEMBER))
async def list_shots(
    scope: Scope,
    session: Reading,
    listing: Listed,
    sign: Signing,
    shooting_id: UUID | None = None,
    look_id: UUID | None = None,
    shot_type_id: UUID | None = None,
    product_id: Annotated[
        UUID | None, Query(description="Of looks with this product, as main or further one.")
    ] = None,
    status: Annotated[list[ShotStatus] | None, Query(description="In one of these states.")] = None,
) -> ShotList:
    """Your organization's shots. Sort by `position`, `created_at` or `updated_at`."""
    with sorting():
        page = await ShotRepository(session, scope).list(
            **listing.arguments(),
            shooting_id=shooting_id,
            look_id=look_id,
            shot_type_id=shot_type_id,
            product_id=product_id,
            status=status,
        )
    items = [await ShotRead.of(one, sign) for one in page.items]
    return ShotList(items=items, total=page.total, page=page.page, size=page.size)


@router.get("/{shot_id}", operation_id="get_shot", responses=errors(304, *MEMBER))
async def get(
    shot_id: ShotId, scope: Scope, session: Reading, versions: Versioned, sign: Signing
) -> ShotRead:
    """One shot. It is ready to be looked at once `status` is `review`."""
    shot = found(await ShotRepository(session, scope).get(shot_id), "Shot")
    versions.read(newest(shot, shot.shot_type), has_urls=True)
    return await ShotRead.of(shot, sign)


@router.patch("/{shot_id}", operation_id="update_shot", responses=errors(*MEMBER, 412))
async def update(
    shot_id: ShotId,
    body: ShotUpdate,
    scope: Scope,
    session: Writing,
    versions: Versioned,
    sign: Signing,
) -> ShotRead:
    """Change a shot's place among those of its look."""
    shot = await service.update(session, scope, shot_id, body, versions)
    return await _answer(shot, versions, sign)


@router.delete(
    "/{shot_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_shot",
    responses=errors(*MEMBER, 409),
)
async def delete(shot_id: ShotId, scope: Scope, session: Writing) -> Response:
    """Remove a shot. One with images is refused."""
    await service.delete(session, scope, shot_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/{shot_id}/approve", operation_id="approve_shot", responses=errors(*MEMBER, 409, 412))
async def approve(
    shot_id: ShotId, body: ShotApprove, review: Reviewing, versions: Versioned, sign: Signing
) -> ShotRead:
    """Accept an image of a shot in review. If somebody has decided before you, 409 says what."""
    return await _answer(await review.approve(shot_id, body), versions, sign)


@router.post("/{shot_id}/reject", operation_id="reject_shot", responses=errors(*MEMBER, 409, 412))
async def reject(
    shot_id: ShotId, body: ShotReject, review: Reviewing, versions: Versioned, sign: Signing
) -> ShotRead:
    """Accept none of the images of a shot in review; a new revision takes it up again."""
    return await _answer(await review.reject(shot_id, body), versions, sign)


@router.post(
    "/{shot_id}/request-revision",
    operation_id="request_shot_revision",
    responses=errors(*MEMBER, 409, 412),
)
async def request_revision(
    shot_id: ShotId,
    body: ShotRequestRevision,
    review: Reviewing,
    versions: Versioned,
    sign: Signing,
) -> ShotRead:
    """Begin another round of a shot that is in review or rejected; it is `pending` again, and shows
    its last image until there is a new one."""
    return await _answer(await review.request_revision(shot_id, body), versions, sign)


@router.post(
    "/{shot_id}/unapprove", operation_id="unapprove_shot", responses=errors(*MEMBER, 409, 412)
)
async def unapprove(
    shot_id: ShotId,
    review: Reviewing,
    versions: Versioned,
    sign: Signing,
    body: ShotUnapprove | None = None,
) -> ShotRead:
    """Take an approval back; the shot is in review again."""
    shot = await review.unapprove(shot_id, body or ShotUnapprove())
    return await _answer(shot, versions, sign)


async def _answer(shot: Shot, versions: Versions, sign: Sign) -> ShotRead:
    versions.show(newest(shot, shot.shot_type), has_urls=True)
    return await ShotRead.of(shot, sign)
