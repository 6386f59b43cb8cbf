"""Styles: made, changed, archived, removed while no look uses them."""

from __future__ import annotations

from uuid import UUID

from db.models import Style
from db.repositories.scope import OrganizationScope
from db.repositories.styles import StyleWriter
from db.session import WriteSession
from serve_app.backend.styles.schemas import StyleCreate, StyleUpdate
from serve_app.core.references import check_references
from serve_app.core.rows import archiving, found, refusals
from serve_app.core.versions import Versions


async def create(session: WriteSession, scope: OrganizationScope, body: StyleCreate) -> Style:
    """Make a style.

    Raises:
        NotFound: there is no such LoRA.
    """
    await check_references(session, scope, body.model_dump())
    with refusals("This style"):
        return await StyleWriter(session, scope).add(**body.model_dump())


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    style_id: UUID,
    body: StyleUpdate,
    versions: Versions,
) -> Style:
    """Change a style.

    Raises:
        NotFound: there is none with this id, or no such LoRA.
        PreconditionFailed: the client knows an older version.
    """
    styles = StyleWriter(session, scope)
    style = found(await styles.lock(style_id), "Style")
    versions.change(style)
    await check_references(session, scope, body.changes())
    with refusals("This style"):
        return await styles.change(style, archiving(body.changes(), style.archived_at))


async def delete(session: WriteSession, scope: OrganizationScope, style_id: UUID) -> None:
    """Remove a style.

    Raises:
        NotFound: there is none with this id.
        InUse: looks use it.
    """
    styles = StyleWriter(session, scope)
    style = found(await styles.lock(style_id), "Style")
    with refusals("This style"):
        await styles.delete(style)
