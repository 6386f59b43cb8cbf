"""Shot types of an organization: changed, and removed while no shot is of them."""

from __future__ import annotations

from uuid import UUID

from db.models import ShotType
from db.repositories.presets import ShotTypeWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.shot_types.schemas import ShotTypeUpdate
from serve_app.core.rows import lock_own, refusals
from serve_app.core.versions import Versions


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    shot_type_id: UUID,
    body: ShotTypeUpdate,
    versions: Versions,
) -> ShotType:
    """Change a shot type.

    Raises:
        NotFound: there is none with this id.
        Forbidden: it is a standard one.
        PreconditionFailed: the client knows an older version.
    """
    shot_types = ShotTypeWriter(session, scope)
    shot_type = await lock_own(shot_types, shot_type_id, "Shot type")
    versions.change(shot_type)
    return await shot_types.change(shot_type, body.changes())


async def delete(session: WriteSession, scope: OrganizationScope, shot_type_id: UUID) -> None:
    """Remove a shot type, with the rules that guidelines have for it.

    Raises:
        NotFound: there is none with this id.
        Forbidden: it is a standard one.
        InUse: shots are of it.
    """
    shot_types = ShotTypeWriter(session, scope)
    shot_type = await lock_own(shot_types, shot_type_id, "Shot type")
    with refusals("This shot type", instead="remove those first"):
        await shot_types.delete(shot_type)
