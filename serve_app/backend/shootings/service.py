"""Shootings: made, changed, archived, removed while they have no images."""

from __future__ import annotations

from uuid import UUID

from db.models import Shooting
from db.repositories.scope import OrganizationScope
from db.repositories.shootings import ShootingWriter
from db.repositories.shots import ShotWriter
from db.session import WriteSession
from serve_app.backend.shootings.schemas import ShootingCreate, ShootingUpdate
from serve_app.core.references import check_references
from serve_app.core.rows import InUse, archiving, found, refusals
from serve_app.core.versions import Versions


async def create(session: WriteSession, scope: OrganizationScope, body: ShootingCreate) -> Shooting:
    """Make a shooting.

    Raises:
        NotFound: there is no such brand, or no such guidelines.
    """
    values = body.model_dump()
    await check_references(session, scope, values)
    with refusals("This shooting"):
        return await ShootingWriter(session, scope).add(**values)


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    shooting_id: UUID,
    body: ShootingUpdate,
    versions: Versions,
) -> Shooting:
    """Change a shooting.

    Raises:
        NotFound: there is none with this id, or what it should refer to is not there.
        PreconditionFailed: the client knows an older version.
    """
    shootings = ShootingWriter(session, scope)
    shooting = found(await shootings.lock(shooting_id), "Shooting")
    versions.change(shooting)
    changes = body.changes()
    await check_references(session, scope, changes)
    with refusals("This shooting"):
        return await shootings.change(shooting, archiving(changes, shooting.archived_at))


async def delete(session: WriteSession, scope: OrganizationScope, shooting_id: UUID) -> None:
    """Remove a shooting with its looks and shots.

    Raises:
        NotFound: there is none with this id.
        InUse: some of its shots have images.
    """
    shootings = ShootingWriter(session, scope)
    shooting = found(await shootings.lock(shooting_id), "Shooting")
    shots = ShotWriter(session, scope)
    if await shots.any_has_images(await shots.lock_of(shooting_id=shooting.id)):
        raise InUse("This shooting has shots with images; archive it instead")
    await shootings.delete(shooting)
