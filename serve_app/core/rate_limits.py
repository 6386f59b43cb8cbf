"""Rate limits of organizations and users, over all processes.

The state is in Postgres (``take_permits``, the generic cell rate algorithm). A process that is
asked often takes several permits at once, at most what the limit gives in a second, and uses them
within the next; those that it does not use are lost. So no more requests are answered than the
limit allows, however many processes there are, and most of them cost no statement.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from configs.plans import ALL_REQUESTS, Plan, Plans, Rate
from db.repositories.limits import LimitRepository, LimitWriter, Permits
from db.session import Database
from serve_app.core.errors import TooManyRequests

_LEASE_SECONDS: Final = 1.0
# A changed subscription counts after this long.
_TIER_SECONDS: Final = 5.0
# Organizations, and buckets, that a process remembers.
_REMEMBERED: Final = 10_000
_SCOPE_KEY: Final = "sartiq.allowance"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a limit has left for its subject.

    Attributes:
        limit: requests that the limit gives in its period.
        remaining: requests that would be answered now.
        reset: Unix time at which all are there again.
        retry_after: seconds until one more is answered; None: this one is.
    """

    limit: int
    remaining: int
    reset: int
    retry_after: int | None

    @property
    def headers(self) -> Mapping[str, str]:
        """As every response shows it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


@dataclass(slots=True)
class _Bucket:
    """One limit of one subject, as this process knows it. Times are of the monotonic clock."""

    rate: Rate
    # Permits that are left, until when, and as many as they were.
    permits: int = 0
    expires_at: float = 0.0
    size: int = 0
    # What others could take beside them; when the limit is full again; refused until.
    shared: int = 0
    full_at: float = 0.0
    refused_until: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_refused(self, now: float) -> bool:
        """Whether another statement would grant nothing: what is used only grows."""
        return now < self.refused_until and not self.has_permits(now)

    def has_permits(self, now: float) -> bool:
        return self.permits > 0 and now < self.expires_at

    def wanted(self, now: float) -> int:
        """How many to take now: twice as many as in the last second, if those were all used."""
        if now > self.expires_at + _LEASE_SECONDS:
            wanted = 1
        elif self.permits == 0:
            wanted = 2 * self.size
        else:
            wanted = self.size - self.permits
        most = math.floor(self.rate.requests / self.rate.seconds * _LEASE_SECONDS)
        return max(1, min(wanted, most))

    def take(self, found: Permits, now: float) -> None:
        self.permits = self.size = found.granted
        self.expires_at = now + _LEASE_SECONDS
        self.shared, self.full_at = found.remaining, now + found.full_in
        self.refused_until = 0.0 if found.granted else now + found.retry_in

    def use(self) -> Allowance:
        """Count one request; it is refused if there is no permit."""
        now = time.monotonic()
        granted = self.permits > 0
        self.permits -= int(granted)
        return Allowance(
            limit=self.rate.requests,
            remaining=self.shared + self.permits,
            reset=math.ceil(time.time() + max(0.0, self.full_at - now)),
            retry_after=None if granted else max(1, math.ceil(self.refused_until - now)),
        )


class RateLimiter:
    """Counts the requests that this process answers.

    Args:
        database: keeps what is used, for all processes.
        plans: what each tier allows.
        counts: False: nothing is counted, and nothing refused.
    """

    def __init__(self, database: Database, plans: Plans, *, counts: bool) -> None:
        self._database = database
        self._plans = plans
        self._counts = counts
        self._tiers: dict[UUID, tuple[str, float]] = {}
        self._buckets: dict[tuple[UUID, str], _Bucket] = {}

    async def plan_of(self, organization_id: UUID) -> Plan:
        """The plan whose limits an organization has, as it was some seconds ago at most."""
        now = time.monotonic()
        tier, until = self._tiers.get(organization_id, ("", 0.0))
        if now >= until:
            async with self._database.read() as session:
                found = await LimitRepository(session).tier_of(organization_id)
            tier = found or self._plans.default.tier
            _make_room(self._tiers)
            self._tiers[organization_id] = (tier, now + _TIER_SECONDS)
        return self._plans.get(tier, self._plans.default)

    async def spend(
        self, organization_id: UUID, user_id: UUID | None, names: Iterable[str]
    ) -> Allowance | None:
        """Count a request, and say what its tightest limit has left; None: nothing is counted.

        Args:
            organization_id: in which it acts.
            user_id: the person who asks; an organization's keys count as one.
            names: of the limits that it may fall under, as in the rates of a plan.
        """
        if not self._counts:
            return None
        rates = (await self.plan_of(organization_id)).rates
        limits = [
            ((user_id or organization_id) if rates[name].per == "user" else organization_id, name)
            for name in names
            if name in rates
        ]
        if len(limits) == 1:
            ((subject_id, name),) = limits
            return await self._spend_one(subject_id, name, rates[name])
        found = await asyncio.gather(*(self._spend_one(*one, rates[one[1]]) for one in limits))
        return max(found, key=lambda one: (one.retry_after or 0, -one.remaining), default=None)

    async def _spend_one(self, subject_id: UUID, name: str, rate: Rate) -> Allowance:
        bucket = self._bucket(subject_id, name, rate)
        if not self._settles(bucket):
            async with bucket.asking:
                # Others that waited here may have been brought enough.
                if not self._settles(bucket):
                    await self._ask(bucket, subject_id, name)
        return bucket.use()

    def _settles(self, bucket: _Bucket) -> bool:
        now = time.monotonic()
        return bucket.has_permits(now) or bucket.is_refused(now)

    async def _ask(self, bucket: _Bucket, subject_id: UUID, name: str) -> None:
        wanted = bucket.wanted(time.monotonic())
        async with self._database.statement() as session:
            found = await LimitWriter(session).take_permits(
                subject_id, name, bucket.rate, wanted=wanted
            )
        bucket.take(found, time.monotonic())

    def _bucket(self, subject_id: UUID, name: str, rate: Rate) -> _Bucket:
        bucket = self._buckets.get((subject_id, name))
        if bucket is None or bucket.rate != rate:
            _make_room(self._buckets)
            bucket = self._buckets[subject_id, name] = _Bucket(rate)
        return bucket


def _make_room(remembered: dict[Any, Any]) -> None:
    if len(remembered) >= _REMEMBERED:
        # The oldest; if it is needed again, it is read again.
        del remembered[next(iter(remembered))]


class RateLimitHeaders:
    """Show what a request's limit has left on its response, whatever that is.

    It stands around the application; :func:`limit` counts the request within, once it is known who
    asks.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers of the allowance that was noted meanwhile."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Scopes are copied on their way to the endpoint; what they hold is not.
        noted: list[Allowance] = []
        scope[_SCOPE_KEY] = noted

        async def showing(message: Message) -> None:
            if noted and message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(noted[-1].headers)
            await send(message)

        await self.app(scope, receive, showing)


async def limit(
    scope: Scope, limiter: RateLimiter, organization_id: UUID, user_id: UUID | None, *also: str
) -> None:
    """Count a request of an application that shows its limits; of another, nothing.

    Args:
        scope: of the request.
        limiter: of the process.
        organization_id, user_id: whose request it is.
        also: limits that it turned out to fall under as well, once it was counted.

    Raises:
        TooManyRequests: it is one too many.
    """
    noted: list[Allowance] | None = scope.get(_SCOPE_KEY)
    if noted is None:
        return
    route = scope["route"]
    names = also or (ALL_REQUESTS, route.operation_id, *route.tags)
    allowance = await limiter.spend(organization_id, user_id, names)
    if allowance is None:
        return
    noted.append(allowance)
    if allowance.retry_after is not None:
        raise TooManyRequests(allowance.retry_after)
