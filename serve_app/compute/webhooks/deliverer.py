"""Sends what the event log says to whom it is for: at least once each, signed, with patience."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from configs.settings import WebhookSettings
from db.errors import DatabaseUnavailable
from db.listen import EVENTS_CHANNEL
from db.models import DeliveryStatus, EventKind
from db.repositories.events import EventWriter
from db.repositories.outbox import ClaimedDelivery, Outbox
from db.repositories.scope import OrganizationScope
from db.repositories.webhooks import WebhookWriter
from db.session import WriteSession
from serve_app.compute.webhooks.signing import body_of, headers_of
from serve_app.core.errors import SartiqError
from serve_app.core.fetch import PostAnswer
from serve_app.core.resources import Resources

logger = logging.getLogger(__name__)

_BATCH = 500
# Deliveries to one receiver that are claimed together.
_EACH = 4
_KEPT_BYTES = 1024
_GONE = 410
# What is added to a request's time until somebody else takes its delivery up.
_LEASE_MARGIN_SECONDS = 5.0
# Notifications come in bursts; one round serves all of them.
_PAUSE_SECONDS = 0.02
_DATABASE_ERRORS = (SQLAlchemyError, DatabaseUnavailable, OSError)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try."""

    at: datetime
    seconds: float
    answer: PostAnswer | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the receiver has it."""
        return self.answer is not None and 200 <= self.answer.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more, ever."""
        return self.answer is not None and self.answer.status == _GONE

    def as_json(self) -> dict[str, Any]:
        """As it stands with the delivery."""
        body = None
        if self.answer is not None:
            body = self.answer.body.decode("utf-8", "replace").replace("\0", "\ufffd")
        return {
            "at": self.at.isoformat(),
            "seconds": round(self.seconds, 3),
            "status": self.answer.status if self.answer else None,
            "body": body,
            "error": self.error,
        }


class Deliverer:
    """Works on the deliveries of all organizations, beside others like it.

    Args:
        resources: of the process.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings: WebhookSettings = resources.settings.webhooks
        self._wake = asyncio.Event()
        self._jobs: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Deliver, until it is cancelled; what is on its way then is taken up by somebody else."""
        await self._resources.database.listen(
            [EVENTS_CHANNEL], lambda _: self._wake.set(), on_gap=self._wake.set
        )
        try:
            while True:
                self._wake.clear()
                try:
                    await self._round()
                except _DATABASE_ERRORS as error:
                    logger.warning("webhooks: %s", error)
                await asyncio.sleep(_PAUSE_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.poll_seconds):
                        await self._wake.wait()
        finally:
            for job in self._jobs:
                job.cancel()
            await asyncio.gather(*self._jobs, return_exceptions=True)

    async def _round(self) -> None:
        """Make events into deliveries, and begin as many as there is room for."""
        database = self._resources.database
        more = True
        while more:
            async with database.write() as session:
                more = await Outbox(session).fan_out(limit=_BATCH)
        while (room := self._settings.concurrency - len(self._jobs)) > 0:
            lanes = Counter(self._jobs.values())
            async with database.write() as session:
                claimed = await Outbox(session).claim(
                    limit=room,
                    each=_EACH,
                    busy=[lane for lane, count in lanes.items() if count >= _EACH],
                    lease_seconds=self._settings.timeout_seconds + _LEASE_MARGIN_SECONDS,
                )
            if not claimed:
                return
            for delivery in claimed:
                job = asyncio.create_task(self._deliver(delivery), name=delivery.id)
                self._jobs[job] = delivery.lane
                job.add_done_callback(self._done)

    def _done(self, job: asyncio.Task[None]) -> None:
        del self._jobs[job]
        if not job.cancelled() and (error := job.exception()):
            # Its lease runs out, and it is tried again.
            logger.error("delivery %s", job.get_name(), exc_info=error)
        self._wake.set()

    async def _deliver(self, delivery: ClaimedDelivery) -> None:
        outcome = await self._try(delivery)
        async with self._resources.database.write() as session:
            await self._settle(session, delivery, outcome)

    async def _try(self, delivery: ClaimedDelivery) -> Outcome:
        data = dict(delivery.data or {})
        if delivery.seq is not None:
            data |= {"seq": delivery.seq, "subject_id": delivery.subject_id}
        body = body_of(delivery.kind, delivery.happened_at, data)
        now, began = datetime.now(UTC), time.monotonic()
        try:
            sealed = [one for one in (delivery.secret, delivery.previous_secret) if one]
            keys = [self._resources.vault.open(one) for one in sealed]
            answer = await self._resources.fetcher.post(
                delivery.url,
                body,
                headers_of(delivery.id, body, keys, now),
                seconds=self._settings.timeout_seconds,
                keep=_KEPT_BYTES,
            )
        except SartiqError as error:
            return Outcome(now, time.monotonic() - began, error=error.detail)
        return Outcome(now, time.monotonic() - began, answer)

    async def _settle(
        self, session: WriteSession, delivery: ClaimedDelivery, outcome: Outcome
    ) -> None:
        outbox = Outbox(session)
        is_last = delivery.tries >= self._settings.tries or outcome.gone
        status = DeliveryStatus.PENDING
        if outcome.ok:
            status = DeliveryStatus.DELIVERED
        elif is_last:
            status = DeliveryStatus.FAILED
        delay = self._delay(delivery.tries)
        settled = await outbox.settle(delivery, status, outcome.as_json(), delay=delay)
        hook = delivery.webhook_id
        if not settled or hook is None:
            return
        if outcome.ok:
            await outbox.succeeded(hook)
        elif outcome.gone:
            await self._disable(session, delivery, hook, "It answered 410: it wants no more")
        elif is_last and await outbox.failed_since(hook, delivery.created_at):
            reason = f"No delivery succeeded in {delivery.tries} tries of one event"
            await self._disable(session, delivery, hook, reason)

    def _delay(self, tries: int) -> float:
        """Seconds until the next try: longer each time, and not in step with others."""
        settings = self._settings
        seconds = settings.first_delay_seconds * settings.delay_factor ** (tries - 1)
        return seconds * random.uniform(0.85, 1.15)  # noqa: S311 - spreads load, hides nothing

    async def _disable(
        self, session: WriteSession, delivery: ClaimedDelivery, webhook_id: str, reason: str
    ) -> None:
        scope = OrganizationScope(delivery.organization_id)
        if await WebhookWriter(session, scope).disable(webhook_id, reason):
            data = {"url": delivery.url, "reason": reason}
            await EventWriter(session, scope).append(EventKind.WEBHOOK_DISABLED, webhook_id, data)
