"""The actions on subjects and products that train them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response, status

from serve_app.backend.products.endpoints import ProductId
from serve_app.backend.subjects.endpoints import SubjectId
from serve_app.backend.trainings.schemas import TrainRequest
from serve_app.backend.trainings.service import Trainings
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import RequestResources, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.routing import Router
from serve_app.core.training.reading import TrainingProgress

router = Router(tags=["trainings"])


async def _trainings(
    session: Writing, scope: Scope, resources: RequestResources, caller: Caller
) -> Trainings:
    return Trainings(session, scope, resources, caller.user_id)


Training = Annotated[Trainings, Depends(_trainings, scope="function")]


@router.post(
    "/subjects/{subject_id}/train",
    status_code=status.HTTP_201_CREATED,
    operation_id="train_subject",
    response_model=TrainingProgress,
    responses=errors(*MEMBER, 409),
)
async def train_subject(
    subject_id: SubjectId,
    trainings: Training,
    sign: Signing,
    once: Idempotency,
    body: TrainRequest = TrainRequest(),  # noqa: B008 - frozen
) -> TrainingProgress | Response:
    """Train a LoRA of a subject from its pictures, with captions from its fields. The subject shows
    how far it is (`training`), and its images are made with the LoRA as soon as it is there."""

    async def make() -> TrainingProgress:
        return await TrainingProgress.of(await trainings.train_subject(subject_id, body), sign)

    return await once.create(trainings.session, make)


@router.post(
    "/products/{product_id}/train",
    status_code=status.HTTP_201_CREATED,
    operation_id="train_product",
    response_model=TrainingProgress,
    responses=errors(*MEMBER, 409),
)
async def train_product(
    product_id: ProductId,
    trainings: Training,
    sign: Signing,
    once: Idempotency,
    body: TrainRequest = TrainRequest(),  # noqa: B008 - frozen
) -> TrainingProgress | Response:
    """Train a LoRA of a product from its pictures, with captions from its fields. The product shows
    how far it is (`training`), and its images are made with the LoRA as soon as it is there."""

    async def make() -> TrainingProgress:
        return await TrainingProgress.of(await trainings.train_product(product_id, body), sign)

    return await once.create(trainings.session, make)
