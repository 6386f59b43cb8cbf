"""Shots: put in order, and removed while they have no images. For decisions see ``review``."""

from __future__ import annotations

from uuid import UUID

from db.models import Shot
from db.repositories.scope import OrganizationScope
from db.repositories.shots import ShotWriter
from db.session import WriteSession
from serve_app.backend.shots.schemas import ShotUpdate
from serve_app.core.rows import InUse, found
from serve_app.core.versions import Versions, newest


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    shot_id: UUID,
    body: ShotUpdate,
    versions: Versions,
) -> Shot:
    """Change a shot.

    Raises:
        NotFound: there is none with this id.
        PreconditionFailed: the client knows an older version.
    """
    shots = ShotWriter(session, scope)
    found(await shots.lock(shot_id), "Shot")
    shot = found(await shots.get(shot_id), "Shot")
    versions.change(newest(shot, shot.shot_type))
    return await shots.change(shot, body.changes())


async def delete(session: WriteSession, scope: OrganizationScope, shot_id: UUID) -> None:
    """Remove a shot.

    Raises:
        NotFound: there is none with this id.
        InUse: it has images.
    """
    shots = ShotWriter(session, scope)
    shot = found(await shots.lock(shot_id), "Shot")
    if await shots.any_has_images([shot]):
        raise InUse("This shot has images and cannot be removed")
    await shots.touch_look(shot)
    await shots.delete(shot)
