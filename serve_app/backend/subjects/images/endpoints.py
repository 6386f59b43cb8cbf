"""``/subjects/{subject_id}/images``: pictures of a subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Path, Request, Response, status

from serve_app.backend.subjects.endpoints import SubjectId
from serve_app.backend.subjects.images import service
from serve_app.backend.subjects.images.schemas import (
    IsCover,
    ShotTypeRef,
    SubjectImageCreate,
    SubjectImageRead,
    SubjectImageUpdate,
)
from serve_app.core.attachments import Attachment, FormFile, FormUploadKey, also_json, json_body
from serve_app.core.auth import Scope
from serve_app.core.dependencies import RequestResources, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.media import Library
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.routing import Router
from serve_app.core.uploads import Uploads
from serve_app.core.versions import Versioned

router = Router(prefix="/subjects/{subject_id}/images", tags=["subjects"])

ImageId = Annotated[UUID, Path(description="Id of a picture of the subject.")]


@dataclass(frozen=True, slots=True)
class NewImage:
    """What a request adds, as a form or as JSON."""

    attachment: Attachment
    shot_type_id: UUID | None
    is_cover: bool


async def _new_image(
    request: Request,
    resources: RequestResources,
    scope: Scope,
    library: Library,
    file: FormFile = None,
    upload_key: FormUploadKey = None,
    shot_type_id: Annotated[ShotTypeRef | None, Form()] = None,
    is_cover: Annotated[IsCover, Form()] = False,
) -> NewImage:
    if body := await json_body(request, SubjectImageCreate):
        upload_key, shot_type_id, is_cover = body.upload_key, body.shot_type_id, body.is_cover
    attachment = Attachment(library, Uploads(resources, scope), file, upload_key)
    return NewImage(attachment, shot_type_id, is_cover)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_subject_image",
    response_model=SubjectImageRead,
    responses=errors(*MEMBER, 409, 413, 415),
    openapi_extra=also_json(SubjectImageCreate),
)
async def add(
    subject_id: SubjectId,
    new: Annotated[NewImage, Depends(_new_image)],
    scope: Scope,
    session: Writing,
    sign: Signing,
    once: Idempotency,
) -> SubjectImageRead | Response:
    """Add a picture: the file itself, or the `upload_key` of one that was uploaded before. JPEG,
    PNG, WebP and AVIF are taken; it is kept upright, in sRGB and without metadata."""
    if answered := await once.earlier():
        return answered
    picture = await new.attachment.take()

    async def make() -> SubjectImageRead:
        image = await service.add(
            session,
            scope,
            subject_id,
            new.attachment,
            picture,
            shot_type_id=new.shot_type_id,
            is_cover=new.is_cover,
        )
        return await SubjectImageRead.of(image, sign)

    return await once.create(session, make)


@router.patch("/{image_id}", operation_id="update_subject_image", responses=errors(*MEMBER, 412))
async def update(
    subject_id: SubjectId,
    image_id: ImageId,
    body: SubjectImageUpdate,
    scope: Scope,
    session: Writing,
    sign: Signing,
    versions: Versioned,
) -> SubjectImageRead:
    """Change what a picture is for, or its place. `If-Match` and `ETag` are of the subject."""
    subject, image = await service.update(
        session, scope, subject_id, image_id, body, versions=versions
    )
    versions.show(subject, has_urls=True)
    return await SubjectImageRead.of(image, sign)


@router.delete(
    "/{image_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_subject_image",
    responses=errors(*MEMBER),
)
async def delete(
    subject_id: SubjectId, image_id: ImageId, scope: Scope, session: Writing, library: Library
) -> Response:
    """Remove a picture. Its file goes when nothing else shows it."""
    await service.delete(session, scope, library, subject_id, image_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
