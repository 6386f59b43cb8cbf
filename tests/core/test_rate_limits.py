"""Rate limits over several processes: never more than there is, and few statements."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text

from configs.plans import Plan, Plans, load_plans
from configs.settings import Settings
from db.repositories import OrganizationScope
from db.repositories.credits import CreditAccount
from db.repositories.limits import LimitWriter
from db.session import Database
from serve_app.core import rate_limits
from serve_app.core.rate_limits import Allowance, RateLimiter
from tests.factories.organizations import make_scope

PLANS = load_plans(Settings(environment="test"))


def plans(per_minute: int, **operations: dict[str, object]) -> Plans:
    values = PLANS["starter"].model_dump() | {
        "requests_per_minute": per_minute,
        "operations": operations,
    }
    return Plans({"starter": Plan.model_validate(values)}, "starter")


async def limiters(database: Database, per_minute: int, count: int = 1) -> list[RateLimiter]:
    made = plans(per_minute)
    async with database.write() as session:
        await LimitWriter(session).sync(made)
    return [RateLimiter(database, made, counts=True) for _ in range(count)]


async def ask(
    limiter: RateLimiter, scope: OrganizationScope, user: UUID | None = None
) -> Allowance:
    allowance = await limiter.spend(scope.organization_id, user, ("requests",))
    assert allowance is not None
    return allowance


async def answered(limiter: RateLimiter, scope: OrganizationScope, requests: int) -> int:
    found = [await ask(limiter, scope) for _ in range(requests)]
    return sum(one.retry_after is None for one in found)


@contextmanager
def permits_asked_for(database: Database) -> Iterator[list[str]]:
    """Statements that ask for permits, of a database whose commits are real."""
    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        if "take_permits" in statement:
            seen.append(statement)

    engine = database._writes.sync_engine  # type: ignore[union-attr]
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_a_limit_is_shared_by_processes_and_outlives_them(own_database: Database) -> None:
    scope = await make_scope(own_database)
    processes = await limiters(own_database, 60, count=3)
    found = await asyncio.gather(*(answered(one, scope, 40) for one in processes))
    # One more for each second that it took.
    assert 60 <= sum(found) <= 63
    (restarted,) = await limiters(own_database, 60)
    assert await answered(restarted, scope, 5) <= 1


async def test_a_fast_limit_is_never_passed_and_costs_few_statements(
    own_database: Database,
) -> None:
    scope = await make_scope(own_database)
    per_minute = 3_000
    processes = await limiters(own_database, per_minute, count=2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with permits_asked_for(own_database) as statements:
        found = await asyncio.gather(
            *(answered(one, scope, 500) for one in processes for _ in range(4))
        )
    seconds = loop.time() - began
    assert sum(found) <= per_minute * (1 + seconds / 60) + 1
    # What both hold and do not use in a second is all that may be lost.
    assert sum(found) >= per_minute - 2 * per_minute / 60
    assert len(statements) < 1_000


async def test_a_refusal_is_remembered(own_database: Database) -> None:
    scope = await make_scope(own_database)
    (limiter,) = await limiters(own_database, 2)
    assert await answered(limiter, scope, 3) == 2
    with permits_asked_for(own_database) as statements:
        refused = [await ask(limiter, scope) for _ in range(50)]
    assert statements == []
    assert {(one.remaining, one.limit) for one in refused} == {(0, 2)}
    assert all(one.retry_after is not None and 29 <= one.retry_after <= 30 for one in refused)


async def test_what_is_left_and_when_it_is_full_again(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_scope(own_database)
    (limiter,) = await limiters(own_database, 60)
    monkeypatch.setattr(rate_limits.time, "time", lambda: 1_000_000.0)
    found = [await ask(limiter, scope) for _ in range(3)]
    assert [one.remaining for one in found] == [59, 58, 57]
    assert [one.reset for one in found] == [1_000_001, 1_000_002, 1_000_003]


async def test_permits_that_are_not_used_in_a_second_are_lost(own_database: Database) -> None:
    scope = await make_scope(own_database)
    (limiter,) = await limiters(own_database, 6_000)
    with permits_asked_for(own_database) as statements:
        for _ in range(10):
            await ask(limiter, scope)
        assert len(statements) < 10
        statements.clear()
        await asyncio.sleep(1.05)
        await ask(limiter, scope)
    assert len(statements) == 1


async def test_another_tier_counts_soon(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_scope(own_database)
    async with own_database.write() as session:
        await LimitWriter(session).sync(PLANS)
    limiter = RateLimiter(own_database, PLANS, counts=True)
    assert (await ask(limiter, scope)).limit == 60
    async with own_database.write() as session:
        await CreditAccount(session, scope).ensure(PLANS["professional"])
    assert (await ask(limiter, scope)).limit == 60
    monkeypatch.setattr(rate_limits, "_TIER_SECONDS", 0.0)
    limiter._tiers.clear()
    assert (await ask(limiter, scope)).limit == 300


async def test_users_have_limits_of_their_own(own_database: Database) -> None:
    scope = await make_scope(own_database)
    made = plans(100, monitoring={"requests": 2, "seconds": 60, "per": "user"})
    limiter = RateLimiter(own_database, made, counts=True)

    async def look(user: UUID | None) -> bool:
        names = ("requests", "get_queues", "monitoring")
        found = await limiter.spend(scope.organization_id, user, names)
        assert found is not None
        return found.retry_after is None

    one, other = uuid4(), uuid4()
    assert [await look(one) for _ in range(3)] == [True, True, False]
    assert [await look(other) for _ in range(3)] == [True, True, False]
    # The keys of an organization count as one.
    assert [await look(None) for _ in range(3)] == [True, True, False]


async def test_nothing_is_counted_where_it_is_switched_off(own_database: Database) -> None:
    scope = await make_scope(own_database)
    limiter = RateLimiter(own_database, plans(1), counts=False)
    for _ in range(3):
        assert await limiter.spend(scope.organization_id, None, ("requests",)) is None
    async with own_database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM rate_limits")) == 0
