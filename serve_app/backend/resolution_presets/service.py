"""Resolutions of an organization: changed, and removed while no look uses them."""

from __future__ import annotations

from uuid import UUID

from db.models import ResolutionPreset
from db.repositories.presets import ResolutionPresetWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.resolution_presets.schemas import ResolutionPresetUpdate
from serve_app.core.rows import lock_own, refusals
from serve_app.core.versions import Versions


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    preset_id: UUID,
    body: ResolutionPresetUpdate,
    versions: Versions,
) -> ResolutionPreset:
    """Change a resolution.

    Raises:
        NotFound: there is none with this id.
        Forbidden: it is a standard one.
        PreconditionFailed: the client knows an older version.
    """
    presets = ResolutionPresetWriter(session, scope)
    preset = await lock_own(presets, preset_id, "Resolution")
    versions.change(preset)
    return await presets.change(preset, body.changes())


async def delete(session: WriteSession, scope: OrganizationScope, preset_id: UUID) -> None:
    """Remove a resolution.

    Raises:
        NotFound: there is none with this id.
        Forbidden: it is a standard one.
        InUse: looks use it.
    """
    presets = ResolutionPresetWriter(session, scope)
    preset = await lock_own(presets, preset_id, "Resolution")
    with refusals("This resolution", instead="remove those first"):
        await presets.delete(preset)
