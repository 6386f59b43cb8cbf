"""Subjects: made, changed, archived, removed while no look shows them."""

from __future__ import annotations

from uuid import UUID

from db.models import Subject
from db.repositories.scope import OrganizationScope
from db.repositories.subjects import SubjectImageWriter, SubjectWriter
from db.session import WriteSession
from serve_app.backend.subjects.schemas import SubjectCreate, SubjectUpdate
from serve_app.backend.trainings.service import cancel_training_of
from serve_app.core.media import MediaLibrary
from serve_app.core.references import check_references
from serve_app.core.rows import archiving, found, refusals
from serve_app.core.versions import Versions


async def create(session: WriteSession, scope: OrganizationScope, body: SubjectCreate) -> Subject:
    """Make a subject.

    Raises:
        NotFound: there is no such LoRA.
    """
    await check_references(session, scope, body.model_dump())
    with refusals("This subject"):
        return await SubjectWriter(session, scope).add(**body.model_dump())


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    subject_id: UUID,
    body: SubjectUpdate,
    versions: Versions,
) -> Subject:
    """Change a subject.

    Raises:
        NotFound: there is none with this id, or no such LoRA.
        PreconditionFailed: the client knows an older version.
    """
    subjects = SubjectWriter(session, scope)
    subject = found(await subjects.lock(subject_id), "Subject")
    versions.change(subject)
    await check_references(session, scope, body.changes())
    with refusals("This subject"):
        return await subjects.change(subject, archiving(body.changes(), subject.archived_at))


async def delete(
    session: WriteSession, scope: OrganizationScope, library: MediaLibrary, subject_id: UUID
) -> None:
    """Remove a subject with its pictures; its training ends.

    Raises:
        NotFound: there is none with this id.
        InUse: looks show it.
    """
    subjects = SubjectWriter(session, scope)
    await cancel_training_of(session, scope, found(await subjects.get(subject_id), "Subject"))
    subject = found(await subjects.lock(subject_id), "Subject")
    media_ids = await SubjectImageWriter(session, scope, subject.id).media_ids()
    with refusals("This subject"):
        await subjects.delete(subject)
    await library.release(session, media_ids)
