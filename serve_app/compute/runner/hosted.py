"""One call of a task to a provider: written down before it is made, taken up again after a crash.

The order of things is what makes it safe. The row says ``submitting`` and is committed; then the
order leaves; then the provider's id is committed. A runner that is killed before the first commit
has sent nothing. After the second one the next attempt goes on with the job. In between nobody can
tell, and the task fails with an error that says so: none of the providers has a key by which it
knows a second submission as the first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from db.models import HostedCall, HostedState, TaskStatus
from db.repositories.hosted import HostedCalls, take_abandoned, task_status
from db.session import Database, WriteSession
from serve_app.compute.runner.handlers.base import Work
from serve_app.core.providers.base import Job, Order, Outcome, Provider, RemoteFile, Running
from serve_app.core.providers.breaker import Breaker
from serve_app.core.providers.errors import (
    HostedError,
    HostedOutcomeUnknown,
    HostedRateLimited,
    HostedTimeout,
    HostedUnavailable,
)
from serve_app.core.providers.registry import Providers, settings_of

logger = logging.getLogger(__name__)

# How often a job is looked at: a tenth of the time that it has taken so far, within these bounds.
_SOONEST_SECONDS, _LATEST_SECONDS = 0.1, 3.0
# Looks that may fail one after another before the attempt does.
_BLIND_LOOKS = 5
# A call that is found half handed in may still be so by a runner that was only slow.
_SETTLES_SECONDS = 3.0
_CANCEL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Call:
    """One of a task's calls.

    Attributes:
        work: the attempt.
        provider: name of the provider.
        endpoint: the provider's name of the model.
        seconds: that the call may take in all.
        part: which of the task's calls.
        price: what an outcome costs, in US dollars; the provider's own count comes first.
    """

    work: Work
    provider: str
    endpoint: str
    seconds: float
    part: int = 0
    price: Callable[[Outcome], Decimal] = lambda _: Decimal(0)

    async def run(
        self,
        order: Callable[[], Awaitable[Order]],
        report: Callable[[float], None] = lambda _: None,
    ) -> Outcome:
        """Its outcome: of the job that is there, or of the order, which is only made then.

        Raises:
            HostedError: as the provider's errors are classified.
        """
        provider = self.work.resources.providers.get(self.provider)
        known = await self._known()
        if known is not None and known.answer is not None:
            return _from_answer(known.answer)
        if known is not None and known.job_id is not None:
            submitted: Job | Outcome = Job(known.endpoint, known.job_id)
        else:
            submitted = await self._submit(provider, await order())
        if isinstance(submitted, Outcome):
            return submitted
        return await self._follow(provider, submitted, report)

    async def reject(self) -> None:
        """Its outcome is of no use: the next attempt asks again."""
        await self._write(lambda calls: calls.over(self.part, HostedState.FAILED))

    async def _known(self) -> HostedCall | None:
        """What an earlier attempt left: a job, an answer, or nothing.

        Raises:
            HostedOutcomeUnknown: it was about to send something, and nobody knows more.
        """
        deadline = time.monotonic() + _SETTLES_SECONDS
        while True:
            async with self._database.read() as session:
                call = await HostedCalls(session, self.work.task).get(self.part)
            if call is None or call.state in {HostedState.FAILED, HostedState.CANCELLED}:
                return None
            if call.state != HostedState.SUBMITTING:
                return call
            if time.monotonic() > deadline:
                raise HostedOutcomeUnknown(self.provider)
            await asyncio.sleep(0.2)

    async def _submit(self, provider: Provider, order: Order) -> Job | Outcome:
        if not provider.has_jobs:
            return await self._converse(provider, order)
        # Few at once: only those that are being handed in are lost with their runner. Once one is
        # under way it is seen through, whoever wants us to stop: its id is what the provider is
        # asked to cancel, and what the next attempt needs.
        async with self.work.resources.providers.gate(self.provider):
            handing_in = asyncio.ensure_future(self._hand_in(provider, order))
            try:
                return await asyncio.shield(handing_in)
            except asyncio.CancelledError:
                submitted = (await asyncio.gather(handing_in, return_exceptions=True))[0]
                if isinstance(submitted, Job):
                    await self._let_go(provider, submitted)
                raise

    async def _hand_in(self, provider: Provider, order: Order) -> Job | Outcome:
        breaker = self._breaker()
        async with breaker.guard():
            await self._begin()
            try:
                submitted = await provider.submit(order)
            except HostedOutcomeUnknown:
                raise
            except BaseException:
                await self._write(lambda calls: calls.over(self.part, HostedState.FAILED))
                raise
        if isinstance(submitted, Job):
            await self._write(lambda calls: calls.running(self.part, submitted.id))
        else:
            await self._finish(submitted, keep=True)
        return submitted

    async def _converse(self, provider: Provider, order: Order) -> Job | Outcome:
        """A provider whose connection is the job: to stop is to hang up."""
        try:
            async with asyncio.timeout(self.seconds):
                return await self._hand_in(provider, order)
        except TimeoutError:
            raise HostedTimeout(self.provider, f"after {self.seconds:g} s") from None

    async def _begin(self) -> None:
        async with self._database.write() as session:
            begun = await HostedCalls(session, self.work.task).begin(
                self.part, provider=self.provider, endpoint=self.endpoint
            )
        if not begun:
            raise asyncio.CancelledError("the task is another attempt's")

    async def _follow(
        self, provider: Provider, job: Job, report: Callable[[float], None]
    ) -> Outcome:
        started = time.monotonic()
        blind = 0
        try:
            while True:
                try:
                    status = await provider.poll(job)
                    blind = 0
                except (HostedUnavailable, HostedTimeout, HostedRateLimited) as error:
                    blind += 1
                    if blind >= _BLIND_LOOKS:
                        raise
                    await asyncio.sleep(max(error.retry_after or 0.0, 0.5 * blind))
                    continue
                if isinstance(status, Outcome):
                    await self._finish(status, keep=False)
                    return status
                _tell(status, report)
                elapsed = time.monotonic() - started
                if elapsed > self.seconds:
                    await self._stop(provider, job)
                    raise HostedTimeout(self.provider, f"after {self.seconds:g} s")
                await asyncio.sleep(min(max(elapsed / 10, _SOONEST_SECONDS), _LATEST_SECONDS))
        except asyncio.CancelledError:
            await self._let_go(provider, job)
            raise
        except HostedError as error:
            if not error.keeps_job:
                await self._write(lambda calls: calls.over(self.part, HostedState.FAILED))
            raise

    async def _let_go(self, provider: Provider, job: Job) -> None:
        """The attempt ends early. Only a task that was cancelled takes its job with it: another
        runner goes on with that of any other."""
        async with self._database.read() as session:
            status = await task_status(session, self.work.task.id)
        if status in {None, TaskStatus.CANCELLED}:
            await self._stop(provider, job)

    async def _stop(self, provider: Provider, job: Job) -> None:
        await cancel_quietly(provider, job)
        await self._write(lambda calls: calls.over(self.part, HostedState.CANCELLED))

    async def _finish(self, outcome: Outcome, *, keep: bool) -> None:
        cost = outcome.cost_usd if outcome.cost_usd is not None else self.price(outcome)
        answer = _as_answer(outcome) if keep else None
        await self._write(
            lambda calls: calls.finished(
                self.part, usage=outcome.usage, cost_usd=cost, answer=answer
            )
        )

    async def _write(self, change: Callable[[HostedCalls], Awaitable[None]]) -> None:
        async with self._database.write() as session:
            await change(HostedCalls(session, self.work.task))

    def _breaker(self) -> Breaker:
        settings = settings_of(self.work.resources.settings, self.provider)
        return Breaker(self._database, self.provider, settings)

    @property
    def _database(self) -> Database:
        return self.work.resources.database


async def cancel_quietly(provider: Provider, job: Job) -> None:
    """Ask the provider to end a job. If it does not, the job ends by itself."""
    try:
        async with asyncio.timeout(_CANCEL_SECONDS):
            await provider.cancel(job)
    except (HostedError, TimeoutError) as error:
        logger.warning("a job of %s could not be cancelled: %s", provider.name, error)


def _tell(status: Running, report: Callable[[float], None]) -> None:
    if status.fraction is not None:
        report(status.fraction)


def _as_answer(outcome: Outcome) -> dict[str, Any]:
    assert not any(file.data for file in outcome.files), "pictures do not go into the database"
    return {
        "text": outcome.text,
        "files": [file.url for file in outcome.files],
        "seed": outcome.seed,
        "info": dict(outcome.info),
        "usage": dict(outcome.usage),
        "cost_usd": None if outcome.cost_usd is None else str(outcome.cost_usd),
    }


def _from_answer(answer: dict[str, Any]) -> Outcome:
    cost = answer["cost_usd"]
    return Outcome(
        files=tuple(RemoteFile(url=url) for url in answer["files"]),
        text=answer["text"],
        seed=answer["seed"],
        usage=answer["usage"],
        cost_usd=None if cost is None else Decimal(cost),
        info=answer["info"],
    )


class AbandonedJobs:
    """Ends the jobs of tasks that were cancelled while no runner held them; an observer of the
    runner."""

    def __init__(self, providers: Callable[[], Providers]) -> None:
        self._make = providers
        self._providers: Providers | None = None

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """Nothing: the attempt itself sees to its job."""

    async def catch_up(self, database: Database) -> None:
        """Cancel what is left at the providers."""
        if self._providers is None:
            self._providers = self._make()
        if not self._providers.names:
            return
        async with database.write() as session:
            abandoned = await take_abandoned(session)
        for call in abandoned:
            if call.provider in self._providers:
                provider = self._providers.get(call.provider)
                await cancel_quietly(provider, Job(call.endpoint, call.job_id))
