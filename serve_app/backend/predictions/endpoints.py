"""``/predictions``: the images of shots."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Response, status

from db.models import PredictionStatus
from db.repositories.predictions import PredictionRepository
from serve_app.backend.predictions.schemas import PredictionList, PredictionRead
from serve_app.backend.predictions.service import Predictions
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import Reading, Signing, Writing
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned

router = Router(prefix="/predictions", tags=["predictions"])

PredictionId = Annotated[UUID, Path(description="Id of a prediction.")]


async def _predictions(session: Writing, caller: Caller) -> Predictions:
    return Predictions(session, caller)


Changing = Annotated[Predictions, Depends(_predictions)]


@router.get("/", operation_id="list_predictions", responses=errors(*MEMBER))
async def list_predictions(
    scope: Scope,
    session: Reading,
    listing: Listed,
    sign: Signing,
    generation_id: UUID | None = None,
    shot_id: UUID | None = None,
    status: PredictionStatus | None = None,
) -> PredictionList:
    """Your organization's images. Sort by `index`, `created_at` or `updated_at`."""
    with sorting():
        page = await PredictionRepository(session, scope).list(
            **listing.arguments(), generation_id=generation_id, shot_id=shot_id, status=status
        )
    items = [await PredictionRead.of(one, sign) for one in page.items]
    return PredictionList(items=items, total=page.total, page=page.page, size=page.size)


@router.get("/{prediction_id}", operation_id="get_prediction", responses=errors(304, *MEMBER))
async def get(
    prediction_id: PredictionId, scope: Scope, session: Reading, versions: Versioned, sign: Signing
) -> PredictionRead:
    """One image."""
    prediction = found(await PredictionRepository(session, scope).get(prediction_id), "Prediction")
    versions.read(prediction, has_urls=True)
    return await PredictionRead.of(prediction, sign)


@router.post(
    "/{prediction_id}/select", operation_id="select_prediction", responses=errors(*MEMBER, 409)
)
async def select(
    prediction_id: PredictionId, predictions: Changing, sign: Signing
) -> PredictionRead:
    """Make it the image that its shot shows. One that was rejected is in review again."""
    return await PredictionRead.of(await predictions.select(prediction_id), sign)


@router.post(
    "/{prediction_id}/reject", operation_id="reject_prediction", responses=errors(*MEMBER, 409)
)
async def reject(
    prediction_id: PredictionId, predictions: Changing, sign: Signing
) -> PredictionRead:
    """Say that this image will not do."""
    return await PredictionRead.of(await predictions.reject(prediction_id), sign)


@router.delete(
    "/{prediction_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_prediction",
    responses=errors(*MEMBER, 409),
)
async def delete(prediction_id: PredictionId, predictions: Changing) -> Response:
    """Remove an image. One that was approved, or that the shot shows, is refused."""
    await predictions.delete(prediction_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
