"""Predictions: shown, rejected, removed. Approving one is a decision about its shot."""

from __future__ import annotations

from uuid import UUID

from db.models import EventKind, Prediction, PredictionStatus, Shot, ShotStatus
from db.repositories.events import EventWriter
from db.repositories.predictions import PredictionWriter
from db.repositories.scope import OrganizationScope
from db.repositories.shots import ShotWriter
from db.session import WriteSession
from serve_app.core.auth import Principal
from serve_app.core.errors import Conflict
from serve_app.core.rows import InUse, found

_DECIDED = {PredictionStatus.APPROVED, PredictionStatus.EXPORTED}


class ShotApproved(Conflict):
    """The shot's image is settled."""

    code = "shot_approved"
    default_detail = "This shot has been approved; unapprove it first"


class Predictions:
    """One caller's changes of predictions, each in the transaction of its request.

    Every method raises `NotFound` for a prediction that is not there.
    """

    def __init__(self, session: WriteSession, caller: Principal) -> None:
        scope = OrganizationScope(caller.organization_id)
        self._shots = ShotWriter(session, scope)
        self._predictions = PredictionWriter(session, scope)
        self._events = EventWriter(session, scope)
        self._caller = caller

    async def select(self, prediction_id: UUID) -> Prediction:
        """Make it the image that its shot shows. One that was rejected is in review again.

        Raises:
            ShotApproved: another one has been chosen for good.
        """
        prediction, shot = await self._lock(prediction_id)
        if shot.status is ShotStatus.APPROVED:
            raise ShotApproved
        prediction = await self._predictions.change(prediction, {"status": PredictionStatus.REVIEW})
        await self._shots.change(shot, {"current_prediction_id": prediction.id})
        await self._log(EventKind.PREDICTION_SELECTED, prediction)
        return prediction

    async def reject(self, prediction_id: UUID) -> Prediction:
        """Say that this image will not do.

        Raises:
            ShotApproved: it is the image that was approved.
        """
        prediction, _ = await self._lock(prediction_id)
        if prediction.status in _DECIDED:
            raise ShotApproved
        prediction = await self._predictions.change(
            prediction, {"status": PredictionStatus.REJECTED}
        )
        await self._log(EventKind.PREDICTION_REJECTED, prediction)
        return prediction

    async def delete(self, prediction_id: UUID) -> None:
        """Remove an image.

        Raises:
            InUse: it was approved, or the shot shows it.
        """
        prediction, shot = await self._lock(prediction_id)
        if prediction.status in _DECIDED:
            raise InUse("This image has been approved and cannot be removed")
        if shot.current_prediction_id == prediction.id:
            raise InUse("The shot shows this image; select another one first")
        await self._predictions.delete(prediction)

    async def _lock(self, prediction_id: UUID) -> tuple[Prediction, Shot]:
        seen = found(await self._predictions.get(prediction_id), "Prediction")
        shot = found(await self._shots.lock(seen.shot_id), "Shot")
        # Somebody may have decided between the first look and the lock.
        return found(await self._predictions.get(prediction_id), "Prediction"), shot

    async def _log(self, kind: EventKind, prediction: Prediction) -> None:
        data = {"shot_id": prediction.shot_id, "user_id": self._caller.user_id}
        await self._events.append(kind, str(prediction.id), data)
