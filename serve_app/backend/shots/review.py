"""Review: how a shot gets from one state to the next, and what is decided about it.

Images arrive: ``pending → generating → review``. Then people decide, as :data:`TRANSITIONS` says.
A decision is made once: whoever comes second reads what the first one decided, and overwrites
nothing. A shot that was rejected is taken up again by a new revision, never approved as it is; an
approval can be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from db.models import EventKind, Prediction, PredictionStatus, Shot, ShotRevision, ShotStatus
from db.repositories.events import EventWriter
from db.repositories.predictions import PredictionWriter
from db.repositories.scope import OrganizationScope
from db.repositories.shots import ShotWriter
from db.repositories.users import UserRepository
from db.session import WriteSession
from serve_app.backend.shots.schemas import (
    Decision,
    ShotApprove,
    ShotReject,
    ShotRequestRevision,
    ShotUnapprove,
)
from serve_app.core.auth import Principal
from serve_app.core.errors import Conflict, NotFound
from serve_app.core.rows import found
from serve_app.core.versions import Versions, newest


class Action(StrEnum):
    """What a person may do with a shot."""

    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_REVISION = "request_revision"
    UNAPPROVE = "unapprove"


@dataclass(frozen=True, slots=True)
class Transition:
    """Of a shot by an action, and how the event log calls it."""

    sources: frozenset[ShotStatus]
    target: ShotStatus
    event: EventKind


TRANSITIONS: Final[Mapping[Action, Transition]] = {
    Action.APPROVE: Transition(
        frozenset({ShotStatus.REVIEW}), ShotStatus.APPROVED, EventKind.SHOT_APPROVED
    ),
    Action.REJECT: Transition(
        frozenset({ShotStatus.REVIEW}), ShotStatus.REJECTED, EventKind.SHOT_REJECTED
    ),
    # The revision that ends keeps the state it is in; the target is the new one's.
    Action.REQUEST_REVISION: Transition(
        frozenset({ShotStatus.REVIEW, ShotStatus.REJECTED}),
        ShotStatus.PENDING,
        EventKind.SHOT_REVISION_REQUESTED,
    ),
    Action.UNAPPROVE: Transition(
        frozenset({ShotStatus.APPROVED}), ShotStatus.REVIEW, EventKind.SHOT_UNAPPROVED
    ),
}


class NotNow(Conflict):
    """The state of the shot does not allow the decision; the text says who decided what."""

    code = "shot_state"


class Review:
    """One caller's decisions, each in the transaction of its request.

    Every decision raises `NotFound` for a shot that is not there, `NotNow` where the table does not
    allow it or the caller looked at an older revision, and `PreconditionFailed` by ``If-Match``.
    """

    def __init__(self, session: WriteSession, caller: Principal, versions: Versions) -> None:
        scope = OrganizationScope(caller.organization_id)
        self._shots = ShotWriter(session, scope)
        self._predictions = PredictionWriter(session, scope)
        self._events = EventWriter(session, scope)
        self._users = UserRepository(session)
        self._caller = caller
        self._versions = versions

    async def approve(self, shot_id: UUID, body: ShotApprove) -> Shot:
        """Make an image the shot's result.

        Raises:
            NotFound: also if the image is not one of this shot.
            NotNow: also if it belongs to an earlier revision, or was rejected.
        """
        shot = await self._lock(shot_id)
        prediction = await self._prediction_of(shot, body.prediction_id)
        await self._allow(shot, Action.APPROVE, body)
        revision = await self._predictions.revision_of(prediction)
        if revision != shot.revision:
            raise NotNow(f"This image is of revision {revision}, not of revision {shot.revision}")
        if prediction.status is PredictionStatus.REJECTED:
            raise NotNow("This image has been rejected; select it first")
        await self._predictions.change(prediction, {"status": PredictionStatus.APPROVED})
        decision = self._decision(
            decision_notes=body.notes, prediction_id=prediction.id, reason=None
        )
        return await self._move(shot, Action.APPROVE, decision, current_prediction_id=prediction.id)

    async def reject(self, shot_id: UUID, body: ShotReject) -> Shot:
        """Say that none of the images will do."""
        shot = await self._lock(shot_id)
        await self._allow(shot, Action.REJECT, body)
        decision = self._decision(reason=body.reason, decision_notes=body.notes)
        return await self._move(shot, Action.REJECT, decision)

    async def request_revision(self, shot_id: UUID, body: ShotRequestRevision) -> Shot:
        """Begin another round; the one before keeps its images and what was decided about it."""
        shot = await self._lock(shot_id)
        await self._allow(shot, Action.REQUEST_REVISION, body)
        number = shot.revision + 1
        await self._shots.begin_revision(shot, number, body.notes)
        target = TRANSITIONS[Action.REQUEST_REVISION].target
        shot = await self._shots.change(shot, {"status": target, "revision": number})
        await self._log(shot, Action.REQUEST_REVISION, notes=body.notes)
        return shot

    async def unapprove(self, shot_id: UUID, body: ShotUnapprove) -> Shot:
        """Take an approval back; the image is in review again."""
        shot = await self._lock(shot_id)
        await self._allow(shot, Action.UNAPPROVE, body)
        approved_id = _current(shot).prediction_id
        if approved_id is not None:
            prediction = await self._prediction_of(shot, approved_id)
            await self._predictions.change(prediction, {"status": PredictionStatus.REVIEW})
        undecided = dict.fromkeys(("prediction_id", "decision_notes", "decided_by", "decided_at"))
        return await self._move(shot, Action.UNAPPROVE, undecided)

    async def _lock(self, shot_id: UUID) -> Shot:
        found(await self._shots.lock(shot_id), "Shot")
        return found(await self._shots.get(shot_id), "Shot")

    async def _prediction_of(self, shot: Shot, prediction_id: UUID) -> Prediction:
        prediction = await self._predictions.get(prediction_id)
        if prediction is None or prediction.shot_id != shot.id:
            raise NotFound("Prediction not found")
        return prediction

    async def _allow(self, shot: Shot, action: Action, body: Decision) -> None:
        if shot.status not in TRANSITIONS[action].sources:
            raise NotNow(await self._standing(shot))
        if body.revision not in {None, shot.revision}:
            raise NotNow(f"This shot is at revision {shot.revision} by now; look at that one")
        self._versions.change(newest(shot, shot.shot_type))

    async def _standing(self, shot: Shot) -> str:
        """How it stands with a shot, for somebody who supposed something else."""
        revision = _current(shot)
        match shot.status:
            case ShotStatus.APPROVED:
                return f"{await self._who(revision)} has approved this shot; unapprove it first"
            case ShotStatus.REJECTED:
                return f"{await self._who(revision)} has rejected this shot: {revision.reason}"
            case ShotStatus.PENDING if revision.number > 1:
                return f"A revision of this shot has been requested: {revision.notes}"
            case ShotStatus.PENDING:
                return "This shot has no images yet"
            case ShotStatus.GENERATING:
                return "This shot's images are being generated"
            case ShotStatus.REVIEW:
                return "This shot is in review and has not been approved"

    async def _who(self, revision: ShotRevision) -> str:
        user = await self._users.get(revision.decided_by) if revision.decided_by else None
        return "Somebody" if user is None else user.full_name or user.email

    def _decision(self, **values: Any) -> dict[str, Any]:
        return {"decided_by": self._caller.user_id, "decided_at": datetime.now(UTC), **values}

    async def _move(
        self, shot: Shot, action: Action, decision: Mapping[str, Any], **values: Any
    ) -> Shot:
        shot = await self._shots.move(shot, TRANSITIONS[action].target, decision, **values)
        await self._log(shot, action, reason=decision.get("reason"))
        return shot

    async def _log(self, shot: Shot, action: Action, **more: str | None) -> None:
        data = {
            "shot_id": shot.id,
            "shooting_id": shot.shooting_id,
            "revision": shot.revision,
            "prediction_id": shot.current_prediction_id,
            "user_id": self._caller.user_id,
            **more,
        }
        await self._events.append(TRANSITIONS[action].event, str(shot.id), data)


def _current(shot: Shot) -> ShotRevision:
    return next(one for one in shot.revisions if one.number == shot.revision)
