"""Comments about shots: written by anyone who may review, changed by their authors and admins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from db.models import ShotComment
from db.repositories.predictions import PredictionRepository
from db.repositories.scope import OrganizationScope
from db.repositories.shots import ShotCommentWriter, ShotRepository
from db.session import WriteSession
from serve_app.backend.comments.schemas import CommentCreate, CommentUpdate
from serve_app.core.auth import Principal
from serve_app.core.errors import Forbidden, NotFound, UnprocessableField
from serve_app.core.rows import found, refusals
from serve_app.core.versions import Versions


class Comments:
    """The comments about one shot, as one caller may change them.

    Every method raises `NotFound` for a shot or a comment that is not there.
    """

    def __init__(self, session: WriteSession, caller: Principal, shot_id: UUID) -> None:
        scope = OrganizationScope(caller.organization_id)
        self._shots = ShotRepository(session, scope)
        self._predictions = PredictionRepository(session, scope)
        self._comments = ShotCommentWriter(session, scope)
        self._caller = caller
        self._shot_id = shot_id

    async def create(self, body: CommentCreate) -> ShotComment:
        """Write a comment.

        Raises:
            NotFound: also if the image is not one of the shot.
            UnprocessableField: half a point.
        """
        found(await self._shots.get(self._shot_id), "Shot")
        _check_point(body.x, body.y)
        await self._check_prediction(body.prediction_id)
        with refusals("This comment"):
            return await self._comments.add(
                shot_id=self._shot_id, author_id=self._caller.user_id, **body.model_dump()
            )

    async def update(
        self, comment_id: UUID, body: CommentUpdate, versions: Versions
    ) -> ShotComment:
        """Change a comment.

        Raises:
            NotFound, UnprocessableField: as for `create`.
            Forbidden: it is somebody else's.
            PreconditionFailed: the client knows an older version.
        """
        comment = await self._own(comment_id)
        versions.change(comment)
        changes = body.changes()
        _check_point(changes.get("x", comment.x), changes.get("y", comment.y))
        await self._check_prediction(body.prediction_id)
        with refusals("This comment"):
            return await self._comments.change(comment, _resolving(changes, comment.resolved_at))

    async def delete(self, comment_id: UUID) -> None:
        """Remove a comment.

        Raises:
            Forbidden: it is somebody else's.
        """
        await self._comments.delete(await self._own(comment_id))

    async def _own(self, comment_id: UUID) -> ShotComment:
        found(await self._shots.get(self._shot_id), "Shot")
        comment = found(await self._comments.lock(comment_id), "Comment")
        if comment.shot_id != self._shot_id:
            raise NotFound("Comment not found")
        is_author = comment.author_id is not None and comment.author_id == self._caller.user_id
        if not (is_author or self._caller.is_admin):
            raise Forbidden("Only its author and admins may change a comment")
        return comment

    async def _check_prediction(self, prediction_id: UUID | None) -> None:
        if prediction_id is None:
            return
        prediction = await self._predictions.get(prediction_id)
        if prediction is None or prediction.shot_id != self._shot_id:
            raise NotFound("Prediction not found")


def _resolving(changes: dict[str, Any], resolved_at: datetime | None) -> dict[str, Any]:
    """Changes with the client's ``is_resolved`` as the time that is stored."""
    if "is_resolved" not in changes:
        return changes
    rest = {name: value for name, value in changes.items() if name != "is_resolved"}
    when = (resolved_at or datetime.now(UTC)) if changes["is_resolved"] else None
    return rest | {"resolved_at": when}


def _check_point(x: float | None, y: float | None) -> None:
    if (x is None) != (y is None):
        missing = "x" if x is None else "y"
        raise UnprocessableField("A point has both x and y", ("body", missing))
