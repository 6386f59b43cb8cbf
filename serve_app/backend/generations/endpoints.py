"""``/generations``, and the actions on shots and shootings that begin them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response, status

from db.models import GenerationType, ShotStatus, TaskStatus
from db.repositories.generations import GenerationRepository, GenerationWriter
from serve_app.backend.generations import service
from serve_app.backend.generations.schemas import (
    GenerateAllRead,
    GenerateAllRequest,
    GenerateRequest,
    GenerationList,
    GenerationRead,
    GenerationStatus,
    SkippedShot,
)
from serve_app.backend.generations.service import Studio
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import Reading, RequestResources, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting

router = Router(tags=["generations"])

GenerationId = Annotated[UUID, Path(description="Id of a generation.")]
ShotId = Annotated[UUID, Path(description="Id of a shot.")]
ShootingId = Annotated[UUID, Path(description="Id of a shooting.")]

# Shots that "every shot that still needs it" means.
_IN_NEED = {ShotStatus.PENDING, ShotStatus.REJECTED}


async def _studio(
    session: Writing, scope: Scope, resources: RequestResources, caller: Caller
) -> Studio:
    return Studio(session, scope, resources, caller.user_id)


InStudio = Annotated[Studio, Depends(_studio, scope="function")]


@router.get("/generations/", operation_id="list_generations", responses=errors(*MEMBER))
async def list_generations(
    scope: Scope,
    session: Reading,
    sign: Signing,
    listing: Listed,
    shot_id: Annotated[UUID | None, Query(description="Of this shot.")] = None,
    of_status: Annotated[
        GenerationStatus | None, Query(alias="status", description="In this state.")
    ] = None,
    generation_type: Annotated[GenerationType | None, Query(description="Of this type.")] = None,
    model_id: Annotated[str | None, Query(max_length=200, description="By this model.")] = None,
) -> GenerationList:
    """Generations, the newest first. `q` looks in the prompt; sort by `created_at` or
    `completed_at`."""
    with sorting():
        page = await GenerationRepository(session, scope).with_status(
            TaskStatus(of_status) if of_status else None,
            **listing.arguments(),
            shot_id=shot_id,
            type=generation_type,
            model=model_id,
        )
    items = await service.read_many(session, scope, page.items, sign)
    return GenerationList(items=items, total=page.total, page=page.page, size=page.size)


@router.get(
    "/generations/{generation_id}", operation_id="get_generation", responses=errors(*MEMBER)
)
async def get(
    generation_id: GenerationId, scope: Scope, session: Reading, sign: Signing
) -> GenerationRead:
    """One generation, with its images once they are there."""
    row = found(await GenerationRepository(session, scope).get(generation_id), "Generation")
    (answer,) = await service.read_many(session, scope, [row], sign)
    return answer


@router.post(
    "/generations/{generation_id}/cancel",
    operation_id="cancel_generation",
    responses=errors(*MEMBER),
)
async def cancel(
    generation_id: GenerationId, scope: Scope, session: Writing, sign: Signing
) -> GenerationRead:
    """Stop a generation; its credits are given back. One that has ended stays as it is."""
    row = await service.cancel(session, scope, generation_id)
    (answer,) = await service.read_many(session, scope, [row], sign)
    return answer


@router.post(
    "/generations/{generation_id}/reproduce",
    status_code=status.HTTP_201_CREATED,
    operation_id="reproduce_generation",
    response_model=GenerationRead,
    responses=errors(*MEMBER, 402, 409),
)
async def reproduce(
    generation_id: GenerationId, studio: InStudio, sign: Signing, once: Idempotency
) -> GenerationRead | Response:
    """Make the same images again, from the inputs that were kept: a new generation whose images
    have the same pixels. The shot stays as it is."""

    async def make() -> GenerationRead:
        row = await studio.reproduce(generation_id)
        (answer,) = await service.read_many(studio.session, studio.scope, [row], sign)
        return answer

    return await once.create(studio.session, make)


@router.post(
    "/shots/{shot_id}/generate",
    status_code=status.HTTP_201_CREATED,
    operation_id="generate_shot",
    response_model=GenerationRead,
    responses=errors(*MEMBER, 402, 409),
)
async def generate(
    shot_id: ShotId,
    studio: InStudio,
    sign: Signing,
    once: Idempotency,
    body: GenerateRequest = GenerateRequest(),  # noqa: B008 - frozen
) -> GenerationRead | Response:
    """Make images of a shot. The prompt is composed from product, subject, style, guidelines, shot
    type and background; one credit is charged for each image (and attempt)."""

    async def make() -> GenerationRead:
        row = await studio.generate(shot_id, body)
        (answer,) = await service.read_many(studio.session, studio.scope, [row], sign)
        return answer

    return await once.create(studio.session, make)


@router.post(
    "/shootings/{shooting_id}/generate",
    status_code=status.HTTP_201_CREATED,
    operation_id="generate_shooting",
    response_model=GenerateAllRead,
    responses=errors(*MEMBER, 402, 409),
)
async def generate_all(
    shooting_id: ShootingId,
    studio: InStudio,
    sign: Signing,
    once: Idempotency,
    body: GenerateAllRequest = GenerateAllRequest(),  # noqa: B008 - frozen
) -> GenerateAllRead | Response:
    """Make images of every shot of a shooting that still needs some: those that are pending or
    rejected. All of them are begun, or, if the credits do not suffice, none."""

    async def make() -> GenerateAllRead:
        return await _generate_all(studio, shooting_id, body, sign)

    return await once.create(studio.session, make)


async def _generate_all(
    studio: Studio, shooting_id: UUID, body: GenerateAllRequest, sign: Signing
) -> GenerateAllRead:
    generations = GenerationWriter(studio.session, studio.scope)
    shots = found(await generations.shots_of(shooting_id), "Shooting")
    named = None if body.shot_ids is None else set(body.shot_ids)
    if named is not None and not named <= {shot.id for shot in shots}:
        found(None, "Shot")
    options = GenerateRequest(**body.model_dump(exclude={"shot_ids"}))
    begun, skipped = [], []
    for shot in shots:
        if named is not None and shot.id not in named:
            continue
        if shot.status in _IN_NEED:
            begun.append(await studio.generate(shot.id, options))
        else:
            skipped.append(SkippedShot(shot_id=shot.id, reason=f"the shot is {shot.status.value}"))
    answers = await service.read_many(studio.session, studio.scope, begun, sign)
    return GenerateAllRead(generations=answers, skipped=skipped)
