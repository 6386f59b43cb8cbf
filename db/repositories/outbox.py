"""Webhook deliveries of all organizations, as whoever makes them sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, or_, text, update

from db import webhook_queries
from db.models import DeliveryStatus, EventKind, Webhook
from db.session import WriteSession

# How a task may end, which is what its own webhook is told.
TASK_ENDS = (EventKind.TASK_COMPLETED, EventKind.TASK_FAILED, EventKind.TASK_CANCELLED)
# Tries that are kept with a delivery.
_KEPT = 20


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this process tries now.

    Attributes:
        id: what the receiver sees as ``webhook-id``.
        tries: how often it was taken up, this time included; fences off earlier ones.
        lane: its receiver, for taking turns.
        kind, subject_id, data, seq, happened_at: of the event; a test has no subject and no data.
        url: where to.
        secret, previous_secret: what signs, sealed; the second while it still does.
    """

    id: str
    tries: int
    lane: str
    kind: str
    seq: int | None
    organization_id: UUID
    webhook_id: str | None
    created_at: datetime
    url: str
    subject_id: str | None
    data: dict[str, Any] | None
    happened_at: datetime
    secret: str
    previous_secret: str | None


class Outbox:
    """Makes events into deliveries, and gives them out. Any number of processes may."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def fan_out(self, *, limit: int) -> bool:
        """Make the next events of one organization into deliveries; False: there were none.

        Commit at once: the events are not looked at again.
        """
        result = await self._session.execute(
            webhook_queries.FAN_OUT, {"limit": limit, "ends": [kind.value for kind in TASK_ENDS]}
        )
        return result.first() is not None

    async def claim(
        self, *, limit: int, each: int, busy: Collection[str], lease_seconds: float
    ) -> list[ClaimedDelivery]:
        """Take deliveries that are due, at most ``each`` of one receiver and none of those that are
        ``busy``. Who is silent for ``lease_seconds`` loses them."""
        values = {
            "limit": limit,
            "each": each,
            "busy": list(busy),
            "lease_seconds": lease_seconds,
        }
        claimed = await self._session.scalars(webhook_queries.CLAIM, values)
        ids = list(claimed)
        if not ids:
            return []
        rows = await self._session.execute(webhook_queries.READ, {"ids": ids})
        return [ClaimedDelivery(**row) for row in rows.mappings()]

    async def settle(
        self,
        delivery: ClaimedDelivery,
        status: DeliveryStatus,
        attempt: Mapping[str, Any],
        *,
        delay: float = 0,
    ) -> bool:
        """Note what came of a try; a pending delivery is tried again after ``delay`` seconds.
        False: it was given to somebody else meanwhile, or its endpoint was disabled."""
        result = await self._session.execute(
            webhook_queries.SETTLE,
            {
                "id": delivery.id,
                "tries": delivery.tries,
                "status": status.value,
                "delay": delay,
                "attempt": orjson.dumps([attempt]).decode(),
                "kept": _KEPT,
            },
        )
        return result.first() is not None

    async def succeeded(self, webhook_id: str) -> None:
        """An endpoint has answered; it is noted at most once in ten seconds."""
        recent = func.now() - text("interval '10 seconds'")
        await self._session.execute(
            update(Webhook)
            .where(
                Webhook.id == webhook_id,
                or_(Webhook.succeeded_at.is_(None), Webhook.succeeded_at < recent),
            )
            .values(succeeded_at=func.now(), updated_at=Webhook.updated_at)
        )

    async def failed_since(self, webhook_id: str, since: datetime) -> bool:
        """Whether an endpoint has not answered since then."""
        row = await self._session.get(Webhook, webhook_id, populate_existing=True)
        return row is not None and (row.succeeded_at is None or row.succeeded_at < since)
