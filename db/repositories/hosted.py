"""Calls to hosted providers, and the circuit of each provider.

The calls are the runner's own, by tasks that it holds; what a call needs is that it is written down
before it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import and_, case, delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from db.models import HostedCall, HostedState, ProviderCircuit, Task, TaskStatus
from db.repositories.queue import ClaimedTask
from db.session import ReadSession, WriteSession

_OVER = (HostedState.FAILED, HostedState.CANCELLED)


class HostedCalls:
    """The calls of one task, within one transaction."""

    def __init__(self, session: ReadSession | WriteSession, task: ClaimedTask) -> None:
        self._session = session
        self._task = task

    async def get(self, part: int) -> HostedCall | None:
        """A call of the task, whatever attempt made it."""
        return cast("HostedCall | None", await self._session.get(HostedCall, (self._task.id, part)))

    async def begin(self, part: int, *, provider: str, endpoint: str) -> bool:
        """Note that something is about to be sent; commit before it is.

        False: the task is not this attempt's any more, or a call is under way or has its answer.
        """
        task = self._task
        holds = select(
            Task.id,
            literal(part),
            Task.organization_id,
            literal(provider),
            literal(endpoint),
            literal(HostedState.SUBMITTING.value),
        ).where(Task.id == task.id, Task.attempt == task.attempt, Task.status == TaskStatus.RUNNING)
        columns = ["task_id", "part", "organization_id", "provider", "endpoint", "state"]
        statement = insert(HostedCall).from_select(columns, holds.with_for_update(read=True))
        statement = statement.on_conflict_do_update(
            index_elements=["task_id", "part"],
            set_={
                "provider": provider,
                "endpoint": endpoint,
                "state": HostedState.SUBMITTING,
                "job_id": None,
                "answer": None,
                "submissions": HostedCall.submissions + 1,
                "updated_at": func.clock_timestamp(),
            },
            where=HostedCall.state.in_(_OVER),
        )
        result = await self._session.execute(statement.returning(HostedCall.task_id))
        return result.first() is not None

    async def running(self, part: int, job_id: str) -> None:
        """The provider has it, under this id."""
        await self._change(part, state=HostedState.RUNNING, job_id=job_id)

    async def finished(
        self,
        part: int,
        *,
        usage: Mapping[str, Any],
        cost_usd: Decimal,
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        """It has its answer; ``cost_usd`` is added to what its earlier failures cost. A job
        that was finished already, and is looked at again, costs nothing more."""
        await self._change(
            part,
            HostedCall.state != HostedState.FINISHED,
            state=HostedState.FINISHED,
            usage=dict(usage),
            cost_usd=HostedCall.cost_usd + cost_usd,
            answer=None if answer is None else dict(answer),
        )

    async def over(self, part: int, state: HostedState) -> None:
        """It failed for a reason that the provider told, or was cancelled: it may be sent again."""
        await self._change(part, state=state)

    async def cost(self) -> Decimal:
        """What the task's calls have cost so far, in US dollars."""
        total = await self._session.scalar(
            select(func.coalesce(func.sum(HostedCall.cost_usd), 0)).where(
                HostedCall.task_id == self._task.id
            )
        )
        return total or Decimal(0)

    async def _change(self, part: int, *when: Any, **values: Any) -> None:
        await self._session.execute(
            update(HostedCall)
            .where(HostedCall.task_id == self._task.id, HostedCall.part == part, *when)
            .values(**values)
        )


@dataclass(frozen=True, slots=True)
class AbandonedCall:
    """A job at a provider that nobody waits for."""

    provider: str
    endpoint: str
    job_id: str


async def take_abandoned(session: WriteSession, *, limit: int = 20) -> list[AbandonedCall]:
    """Jobs whose tasks were cancelled or given up while no runner could tell the provider; they are
    marked as cancelled, so each is taken once."""
    open_calls = (
        select(HostedCall.task_id, HostedCall.part)
        .join(Task, Task.id == HostedCall.task_id)
        .where(
            HostedCall.state == HostedState.RUNNING,
            Task.status.in_([TaskStatus.CANCELLED, TaskStatus.FAILED]),
            Task.completed_at < func.now() - text("interval '5 seconds'"),
        )
        .limit(limit)
        .with_for_update(of=HostedCall, skip_locked=True)
        .cte()
    )
    returned = await session.execute(
        update(HostedCall)
        .where(
            and_(HostedCall.task_id == open_calls.c.task_id, HostedCall.part == open_calls.c.part)
        )
        .values(state=HostedState.CANCELLED)
        .returning(HostedCall.provider, HostedCall.endpoint, HostedCall.job_id)
    )
    return [
        AbandonedCall(provider, endpoint, job)
        for provider, endpoint, job in returned
        if job is not None
    ]


async def task_status(session: ReadSession, task_id: str) -> TaskStatus | None:
    """How a task stands; None: it is gone."""
    return cast(
        "TaskStatus | None", await session.scalar(select(Task.status).where(Task.id == task_id))
    )


class ProviderCircuits:
    """The circuits, within one transaction; see :class:`serve_app.core.providers.breaker`."""

    def __init__(self, session: ReadSession | WriteSession) -> None:
        self._session = session

    async def all(self) -> Sequence[ProviderCircuit]:
        """Those of providers that have failed since they last succeeded."""
        return (await self._session.scalars(select(ProviderCircuit))).all()

    async def get(self, provider: str) -> tuple[int, float | None]:
        """Failures in a row, and seconds until something may be sent; None: at any time."""
        row = (
            await self._session.execute(
                select(ProviderCircuit.failures, _seconds_left()).where(
                    ProviderCircuit.provider == provider
                )
            )
        ).first()
        return (0, None) if row is None else (row[0], None if row[1] is None else float(row[1]))

    async def probe(self, provider: str, seconds: float) -> bool:
        """Whether this call is the one that goes first after the circuit was open; the others wait
        ``seconds`` for it."""
        returned = await self._session.execute(
            update(ProviderCircuit)
            .where(ProviderCircuit.provider == provider, _seconds_left() <= 0)
            .values(open_until=_after(seconds))
            .returning(ProviderCircuit.provider)
        )
        return returned.first() is not None

    async def succeeded(self, provider: str) -> None:
        """It answers: forget its failures."""
        await self._session.execute(
            delete(ProviderCircuit).where(ProviderCircuit.provider == provider)
        )

    async def failed(
        self, provider: str, reason: str, *, threshold: int, seconds: float, at_once: bool
    ) -> None:
        """One more failure in a row. From ``threshold`` on, or ``at_once``, the circuit is open:
        for ``seconds``, and twice as long with each further failure, up to 16 times."""
        one = insert(ProviderCircuit).values(
            provider=provider,
            failures=1,
            reason=reason,
            open_until=_after(seconds) if at_once or threshold <= 1 else None,
        )
        failures = ProviderCircuit.failures + 1
        beyond = func.least(func.greatest(failures - threshold, 0), 4)
        opens = or_(literal(at_once), failures >= threshold)
        await self._session.execute(
            one.on_conflict_do_update(
                index_elements=["provider"],
                set_={
                    "failures": failures,
                    "reason": reason,
                    "open_until": _case(opens, _after(seconds * func.power(2, beyond))),
                    "updated_at": func.clock_timestamp(),
                },
            )
        )


def _seconds_left() -> Any:
    return func.extract("epoch", ProviderCircuit.open_until - func.clock_timestamp())


def _after(seconds: Any) -> Any:
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _case(condition: Any, value: Any) -> Any:
    return case((condition, value), else_=ProviderCircuit.open_until)
