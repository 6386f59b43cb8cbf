"""Pictures of subjects: added, changed, removed. Each is a new version of its subject."""

from __future__ import annotations

from uuid import UUID

from db.models import Subject, SubjectImage
from db.repositories.presets import ShotTypeRepository
from db.repositories.scope import OrganizationScope
from db.repositories.subjects import SubjectImageWriter, SubjectWriter
from db.session import WriteSession
from serve_app.backend.subjects.images.schemas import SubjectImageUpdate
from serve_app.core.attachments import Attachment
from serve_app.core.media import MediaLibrary
from serve_app.core.pictures import Picture
from serve_app.core.rows import found, refusals
from serve_app.core.versions import Versions

UNIQUE = {"uq_subject_images_subject_id_media_id": "This subject has this picture already"}


async def add(
    session: WriteSession,
    scope: OrganizationScope,
    subject_id: UUID,
    attachment: Attachment,
    picture: Picture,
    *,
    shot_type_id: UUID | None,
    is_cover: bool,
) -> SubjectImage:
    """Add a picture.

    Raises:
        NotFound: there is no such subject or shot type.
        Taken: the subject has this picture.
    """
    subjects = SubjectWriter(session, scope)
    subject = found(await subjects.lock(subject_id), "Subject")
    await _check_shot_type(session, scope, shot_type_id)
    media = await attachment.keep(session, picture)
    with refusals("This picture", UNIQUE):
        image = await SubjectImageWriter(session, scope, subject.id).add(
            media, shot_type_id=shot_type_id, is_cover=is_cover
        )
    await subjects.touch(subject)
    return image


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    subject_id: UUID,
    image_id: UUID,
    body: SubjectImageUpdate,
    *,
    versions: Versions,
) -> tuple[Subject, SubjectImage]:
    """Change a picture.

    Raises:
        NotFound: there is no such subject, picture or shot type.
        PreconditionFailed: the client knows an older version of the subject.
    """
    subjects = SubjectWriter(session, scope)
    subject = found(await subjects.lock(subject_id), "Subject")
    images = SubjectImageWriter(session, scope, subject.id)
    image = found(await images.get(image_id), "Image")
    versions.change(subject)
    await _check_shot_type(session, scope, body.shot_type_id)
    image = await images.change(image, body.changes())
    return await subjects.touch(subject), image


async def delete(
    session: WriteSession,
    scope: OrganizationScope,
    library: MediaLibrary,
    subject_id: UUID,
    image_id: UUID,
) -> None:
    """Remove a picture.

    Raises:
        NotFound: there is no such subject or picture.
    """
    subjects = SubjectWriter(session, scope)
    subject = found(await subjects.lock(subject_id), "Subject")
    images = SubjectImageWriter(session, scope, subject.id)
    image = found(await images.get(image_id), "Image")
    await images.remove(image)
    await subjects.touch(subject)
    await library.release(session, [image.media_id])


async def _check_shot_type(
    session: WriteSession, scope: OrganizationScope, shot_type_id: UUID | None
) -> None:
    if shot_type_id is not None:
        found(await ShotTypeRepository(session, scope).get(shot_type_id), "Shot type")
