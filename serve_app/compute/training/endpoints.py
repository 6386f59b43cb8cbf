"""``/training``: begin trainings, watch them, cancel them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Path, Query, Response, status
from pydantic import AwareDatetime

from db.models import EntityType, TaskStatus
from db.repositories.queue import TaskQueue
from db.repositories.trainings import OPEN, TrainingRepository, TrainingState
from serve_app.compute.storage.datasets import DatasetIntake
from serve_app.compute.training import plot, service
from serve_app.compute.training.schemas import (
    EntityKind,
    StepRead,
    TrainingCreate,
    TrainingHistoryRead,
    TrainingList,
    TrainingRead,
    TrainingValidationRead,
)
from serve_app.compute.webhooks.service import Webhooks, check_url
from serve_app.core.admission import admit
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import OwnUrls, Reading, RequestResources, Signing, Writing
from serve_app.core.estimates.quoting import QUOTED, DryRun, answer_quote, quote
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router
from serve_app.core.rows import found
from serve_app.core.text import Storable
from serve_app.core.training.reading import Status

router = Router(prefix="/training", tags=["training"])

TrainingId = Annotated[
    str,
    Path(
        description="Id of a training.",
        max_length=64,
        examples=["train_06f3k2m8q7v5t1xz0c9hjnpa4r"],
    ),
    Storable,
]
Named = Annotated[str | None, Query(max_length=200), Storable]
_NAME = "Training"


async def _submission(
    resources: RequestResources, caller: Caller, own_urls: OwnUrls, dry_run: DryRun = False
) -> service.Submission:
    intake = DatasetIntake(resources, caller.organization_id, own_urls, keeps=not dry_run)
    return service.Submission(resources, intake)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_training",
    response_model=TrainingRead,
    responses=QUOTED | errors(401, 409),
)
async def create(
    body: TrainingCreate,
    submission: Annotated[service.Submission, Depends(_submission)],
    caller: Caller,
    scope: Scope,
    session: Writing,
    sign: Signing,
    once: Idempotency,
    resources: RequestResources,
    dry_run: DryRun = False,
) -> TrainingRead | Response:
    """Queue the training of a LoRA. Its dataset is checked first: every file that cannot be used is
    named in the answer, with its reason."""
    if not dry_run and (answered := await once.earlier()):
        return answered
    url, receiver = body.webhook_url, ""
    if url is not None:
        receiver = await check_url(resources, url, "body", "webhook_url")
    order = await submission.order(body, caller.user_id)
    if dry_run:
        return answer_quote(await quote(resources, scope, order.task()))

    async def make() -> TrainingRead:
        await admit(session, scope, resources, [order.lane])
        state = await order.queue(session, scope)
        if url is not None:
            webhooks = Webhooks(resources, session, scope)
            await webhooks.follow_task(state.training.task_id, url, receiver)
        return await service.read_training(state, [], sign)

    return await once.create(session, make)


@router.get("/", operation_id="list_trainings", responses=errors(401))
async def list_trainings(
    session: Reading,
    scope: Scope,
    sign: Signing,
    page: PageNumber = 1,
    size: PageSize = 20,
    state: Annotated[
        Status | None, Query(alias="status", description="Only trainings in this state.")
    ] = None,
    base_model: Named = None,
    output_name: Named = None,
    entity_type: EntityKind | None = None,
    created_after: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
) -> TrainingList:
    """Your trainings, the newest first."""
    listed = await TrainingRepository(session, scope).list(
        page=page,
        size=size,
        statuses=[TaskStatus(state)] if state else (),
        base_model=base_model,
        output_name=output_name,
        entity_type=EntityType(entity_type) if entity_type else None,
        created_after=created_after,
        created_before=created_before,
    )
    items = [await service.read_item(one, sign) for one in listed.items]
    return TrainingList(items=items, total=listed.total, page=listed.page, size=listed.size)


@router.get("/{training_id}", operation_id="get_training", responses=errors(401, 404))
async def get(
    training_id: TrainingId,
    resources: RequestResources,
    scope: Scope,
    sign: Signing,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the training to end.")
    ] = 0,
) -> TrainingRead:
    """A training: its state, how far it is, its samples so far, and its LoRA when it is completed.

    With `wait` the answer comes when the training ends, or after that time as it stands.
    """

    async def look() -> TrainingState | None:
        async with resources.database.read() as session:
            return await TrainingRepository(session, scope).get(training_id)

    def is_over(state: TrainingState | None) -> bool:
        return state is None or state.task.status not in OPEN

    state = await resources.changes.until(str(scope.organization_id), look, is_over, wait)
    training = found(state, _NAME)
    async with resources.database.read() as session:
        samples = await TrainingRepository(session, scope).samples(training_id)
    return await service.read_training(training, samples, sign)


@router.get(
    "/{training_id}/metrics", operation_id="get_training_metrics", responses=errors(401, 404)
)
async def metrics(
    training_id: TrainingId,
    session: Reading,
    scope: Scope,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only steps behind this one.")] = 0,
) -> TrainingHistoryRead:
    """Everything that a training has measured: each step, and each validation."""
    trainings = TrainingRepository(session, scope)
    state = found(await trainings.get(training_id), _NAME)
    history = await trainings.history(training_id, after=after)
    return TrainingHistoryRead(
        id=training_id,
        status=state.task.status.value,
        steps=[
            StepRead(**{name: getattr(one, name) for name in StepRead.model_fields})
            for one in history.steps
        ],
        validations=[
            TrainingValidationRead(
                step=one.step, loss=one.loss, similarity=one.similarity, is_best=one.is_best
            )
            for one in history.validations
        ],
    )


@router.get(
    "/{training_id}/plot",
    operation_id="get_training_plot",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": "The plot."},
        **errors(401, 404),
    },
)
async def get_plot(training_id: TrainingId, session: Reading, scope: Scope) -> Response:
    """The losses of a training by step, as a PNG, with its validations."""
    trainings = TrainingRepository(session, scope)
    state = found(await trainings.get(training_id), _NAME)
    history = await trainings.history(training_id)
    title = f"{state.training.output_name} on {state.training.base_model}"
    png = await asyncio.to_thread(plot.draw, title, history)
    return Response(png, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.post("/{training_id}/cancel", operation_id="cancel_training", responses=errors(401, 404))
async def cancel(
    training_id: TrainingId, session: Writing, scope: Scope, sign: Signing
) -> TrainingRead:
    """Cancel a training; one that has ended stays as it is.

    A pending training never starts, a running one stops within one step. It leaves no LoRA.
    """
    trainings = TrainingRepository(session, scope)
    found(await trainings.get(training_id), _NAME)
    await TaskQueue(session).cancel(scope, training_id)
    state = found(await trainings.get(training_id), _NAME)
    return await service.read_training(state, await trainings.samples(training_id), sign)
