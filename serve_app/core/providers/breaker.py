"""A circuit breaker for each provider, shared by all processes through the database.

A provider that fails again and again is left alone for a while: its tasks wait instead of failing
one after another, and it is not pressed while it recovers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from configs.settings import ProviderSettings
from db.repositories.hosted import ProviderCircuits
from db.session import Database, ReadSession
from serve_app.core.providers.errors import HostedCircuitOpen, HostedError

State = Literal["closed", "open", "half_open"]
# That a probe may take before another one goes.
_PROBE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """The circuit of one provider."""

    database: Database
    provider: str
    settings: ProviderSettings

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Do something at the provider, and note how it went.

        Raises:
            HostedCircuitOpen: not now.
        """
        failures = await self._enter()
        try:
            yield
        except HostedError as error:
            if error.counts:
                await self._failed(error)
            raise
        if failures:
            async with self.database.write() as session:
                await ProviderCircuits(session).succeeded(self.provider)

    async def _enter(self) -> int:
        async with self.database.read() as session:
            failures, left = await ProviderCircuits(session).get(self.provider)
        if left is None:
            return failures
        if left <= 0:
            async with self.database.write() as session:
                if await ProviderCircuits(session).probe(self.provider, _PROBE_SECONDS):
                    return failures
            left = self.settings.breaker_seconds
        raise HostedCircuitOpen.of(self.provider, left)

    async def _failed(self, error: HostedError) -> None:
        async with self.database.write() as session:
            await ProviderCircuits(session).failed(
                self.provider,
                f"{error.code}: {error}",
                threshold=self.settings.breaker_failures,
                seconds=self.settings.breaker_seconds,
                at_once=error.opens,
            )


@dataclass(frozen=True, slots=True)
class Circuit:
    """How a provider does, for monitoring.

    Attributes:
        state: ``closed`` (calls go through), ``open`` (none does) or ``half_open`` (the next one
            decides).
        failures: in a row.
        open_until: when the next call may go; None while closed.
        reason: of the last failure.
    """

    provider: str
    state: State
    failures: int = 0
    open_until: datetime | None = None
    reason: str | None = None


async def circuits(
    session: ReadSession, providers: tuple[str, ...], now: datetime
) -> list[Circuit]:
    """The circuits of these providers."""
    rows = {row.provider: row for row in await ProviderCircuits(session).all()}
    found = []
    for name in providers:
        if (row := rows.get(name)) is None:
            found.append(Circuit(name, "closed"))
            continue
        state: State = "closed"
        if row.open_until is not None:
            state = "open" if row.open_until > now else "half_open"
        found.append(Circuit(name, state, row.failures, row.open_until, row.reason))
    return found
