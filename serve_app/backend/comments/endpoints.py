"""``/shots/{shot_id}/comments``: what reviewers say."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response, status

from db.repositories.shots import ShotCommentRepository, ShotRepository
from serve_app.backend.comments.schemas import (
    CommentCreate,
    CommentList,
    CommentRead,
    CommentUpdate,
)
from serve_app.backend.comments.service import Comments
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned

router = Router(prefix="/shots/{shot_id}/comments", tags=["comments"])

ShotId = Annotated[UUID, Path(description="Id of a shot.")]
CommentId = Annotated[UUID, Path(description="Id of a comment.")]


async def _comments(session: Writing, caller: Caller, shot_id: ShotId) -> Comments:
    return Comments(session, caller, shot_id)


Commenting = Annotated[Comments, Depends(_comments)]


@router.get("", operation_id="list_shot_comments", responses=errors(*MEMBER))
async def list_comments(
    shot_id: ShotId,
    scope: Scope,
    session: Reading,
    listing: Listed,
    prediction_id: Annotated[UUID | None, Query(description="About this image.")] = None,
    resolved: Annotated[
        bool | None, Query(description="Only resolved ones, or none of them. All when absent.")
    ] = None,
) -> CommentList:
    """What was said about a shot. `q` looks in the text; sort by `created_at` or `updated_at`."""
    found(await ShotRepository(session, scope).get(shot_id), "Shot")
    with sorting():
        page = await ShotCommentRepository(session, scope).list(
            **listing.arguments(),
            shot_id=shot_id,
            prediction_id=prediction_id,
            resolved=resolved,
        )
    items = [CommentRead.model_validate(one) for one in page.items]
    return CommentList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_shot_comment",
    response_model=CommentRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: CommentCreate, comments: Commenting, session: Writing, once: Idempotency
) -> CommentRead | Response:
    """Say something about a shot, or about a point of one of its images."""

    async def make() -> CommentRead:
        return CommentRead.model_validate(await comments.create(body))

    return await once.create(session, make)


@router.patch("/{comment_id}", operation_id="update_shot_comment", responses=errors(*MEMBER, 412))
async def update(
    comment_id: CommentId, body: CommentUpdate, comments: Commenting, versions: Versioned
) -> CommentRead:
    """Change or resolve a comment; your own, or any as an admin."""
    comment = await comments.update(comment_id, body, versions)
    versions.show(comment)
    return CommentRead.model_validate(comment)


@router.delete(
    "/{comment_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_shot_comment",
    responses=errors(*MEMBER),
)
async def delete(comment_id: CommentId, comments: Commenting) -> Response:
    """Remove a comment; your own, or any as an admin."""
    await comments.delete(comment_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
