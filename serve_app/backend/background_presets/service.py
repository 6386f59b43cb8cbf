"""Backgrounds of an organization: checked, added, changed, removed while no look uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from db.models import BackgroundPreset, BackgroundType
from db.repositories.presets import BackgroundPresetWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.background_presets.schemas import (
    BackgroundPresetCreate,
    BackgroundPresetUpdate,
)
from serve_app.core.attachments import Attachment
from serve_app.core.errors import UnprocessableField
from serve_app.core.media import MediaLibrary
from serve_app.core.pictures import Picture
from serve_app.core.rows import lock_own, refusals
from serve_app.core.versions import Versions

_FIELDS: Final[Mapping[BackgroundType, str]] = {
    BackgroundType.COLOR: "color",
    BackgroundType.IMAGE: "upload_key",
    BackgroundType.PROMPT: "prompt",
}


def check(body: BackgroundPresetCreate) -> None:
    """See that a new background has what its type needs.

    Raises:
        UnprocessableField: it lacks that, or has something else.
    """
    for kind, field in _FIELDS.items():
        given = getattr(body, field) is not None
        if given and kind is not body.type:
            raise UnprocessableField(f"A background of type {body.type} has none", ("body", field))
        if not given and kind is body.type:
            raise UnprocessableField(f"A background of type {body.type} needs it", ("body", field))


async def add_image(
    session: WriteSession,
    scope: OrganizationScope,
    attachment: Attachment,
    picture: Picture,
    **values: Any,
) -> BackgroundPreset:
    """Add a background that is a picture."""
    media = await attachment.keep(session, picture)
    presets = BackgroundPresetWriter(session, scope)
    return await presets.add(type=BackgroundType.IMAGE, media_id=media.id, **values)


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    preset_id: UUID,
    body: BackgroundPresetUpdate,
    versions: Versions,
) -> BackgroundPreset:
    """Change a background.

    Raises:
        NotFound: there is none with this id.
        Forbidden: it is a standard one.
        PreconditionFailed: the client knows an older version.
        UnprocessableField: a value is not of its type.
    """
    presets = BackgroundPresetWriter(session, scope)
    preset = await lock_own(presets, preset_id, "Background")
    versions.change(preset)
    changes = body.changes()
    for kind, field in _FIELDS.items():
        if field in changes and kind is not preset.type:
            raise UnprocessableField(f"This background is of type {preset.type}", ("body", field))
    return await presets.change(preset, changes)


async def delete(
    session: WriteSession, scope: OrganizationScope, library: MediaLibrary, preset_id: UUID
) -> None:
    """Remove a background; its picture goes when nothing else shows it.

    Raises:
        NotFound: there is none with this id.
        Forbidden: it is a standard one.
        InUse: looks use it.
    """
    presets = BackgroundPresetWriter(session, scope)
    preset = await lock_own(presets, preset_id, "Background")
    with refusals("This background", instead="remove those first"):
        await presets.delete(preset)
    if preset.media_id is not None:
        await library.release(session, [preset.media_id])
