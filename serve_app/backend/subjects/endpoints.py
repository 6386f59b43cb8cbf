"""``/subjects``: the identities that wear the products."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.models import AgeClass, SubjectKind
from db.repositories.subjects import SubjectRepository
from serve_app.backend.subjects import service
from serve_app.backend.subjects.schemas import (
    SubjectCreate,
    SubjectList,
    SubjectRead,
    SubjectUpdate,
)
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.media import Library
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Archived, Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.text import Storable
from serve_app.core.training.reading import read_trainings, version_of
from serve_app.core.versions import Versioned

router = Router(prefix="/subjects", tags=["subjects"])

SubjectId = Annotated[UUID, Path(description="Id of a subject.")]
# Filters by a field's value.
Text = Annotated[str | None, Query(max_length=200), Storable]


@router.get("/", operation_id="list_subjects", responses=errors(*MEMBER))
async def list_subjects(
    scope: Scope,
    session: Reading,
    sign: Signing,
    listing: Listed,
    kind: SubjectKind | None = None,
    gender: Text = None,
    age_class: AgeClass | None = None,
    body_type: Text = None,
    skin_tone: Text = None,
    hair: Text = None,
    eye_color: Text = None,
    archived: Archived = None,
) -> SubjectList:
    """Your organization's subjects. `q` looks in name and description; sort by `name`, `created_at`
    or `updated_at`."""
    with sorting():
        page = await SubjectRepository(session, scope).list(
            **listing.arguments(),
            archived=archived,
            kind=kind,
            gender=gender,
            age_class=age_class,
            body_type=body_type,
            skin_tone=skin_tone,
            hair=hair,
            eye_color=eye_color,
        )
    trainings = await read_trainings(session, scope, page.items, sign)
    items = [await SubjectRead.of(one, sign, trainings) for one in page.items]
    return SubjectList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_subject",
    response_model=SubjectRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: SubjectCreate, scope: Scope, session: Writing, sign: Signing, once: Idempotency
) -> SubjectRead | Response:
    """Make a subject."""

    async def make() -> SubjectRead:
        subject = await service.create(session, scope, body)
        return await SubjectRead.of(subject, sign, {})

    return await once.create(session, make)


@router.get("/{subject_id}", operation_id="get_subject", responses=errors(304, *MEMBER))
async def get(
    subject_id: SubjectId, scope: Scope, session: Reading, sign: Signing, versions: Versioned
) -> SubjectRead:
    """One subject, with its pictures."""
    subject = found(await SubjectRepository(session, scope).get(subject_id), "Subject")
    trainings = await read_trainings(session, scope, [subject], sign)
    versions.read(subject, has_urls=True, also=version_of(trainings))
    return await SubjectRead.of(subject, sign, trainings)


@router.patch("/{subject_id}", operation_id="update_subject", responses=errors(*MEMBER, 412))
async def update(
    subject_id: SubjectId,
    body: SubjectUpdate,
    scope: Scope,
    session: Writing,
    sign: Signing,
    versions: Versioned,
) -> SubjectRead:
    """Change a subject; `is_archived` takes it out of the way."""
    subject = await service.update(session, scope, subject_id, body, versions)
    trainings = await read_trainings(session, scope, [subject], sign)
    versions.show(subject, has_urls=True, also=version_of(trainings))
    return await SubjectRead.of(subject, sign, trainings)


@router.delete(
    "/{subject_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_subject",
    responses=errors(*MEMBER, 409),
)
async def delete(
    subject_id: SubjectId, scope: Scope, session: Writing, library: Library
) -> Response:
    """Remove a subject and its pictures. One that a look shows is refused; archive it instead."""
    await service.delete(session, scope, library, subject_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
