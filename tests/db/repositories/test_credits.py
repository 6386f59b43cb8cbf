"""Credits: never spent twice, renewed when their period ends, every change in the log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from configs.plans import load_plans
from configs.settings import Settings
from db.models import CreditReason, Subscription
from db.repositories import OrganizationScope
from db.repositories.credits import CreditAccount, CreditLog, CreditsExhausted
from db.session import Database
from tests.factories.organizations import make_scope

STARTER = load_plans(Settings(environment="test")).default
FEW = STARTER.model_copy(update={"credits_per_period": 20})


async def history(database: Database, scope: OrganizationScope) -> list[tuple[str, int, int]]:
    async with database.read() as session:
        page = await CreditLog(session, scope).list(page=1, size=100)
    return [(one.reason, one.amount, one.balance) for one in reversed(page.items)]


async def test_charges_and_refunds_are_logged(database: Database, scope: OrganizationScope) -> None:
    async with database.write() as session:
        account = CreditAccount(session, scope)
        await account.ensure(FEW)
        await account.ensure(STARTER)
        assert await account.charge(15) == 5
        with pytest.raises(CreditsExhausted, match="6 credits needed, 5 left"):
            await account.charge(6)
        assert await account.refund(4) == 9
        assert (await account.current()).credits_remaining == 9
    assert await history(database, scope) == [
        (CreditReason.GRANT, 20, 20),
        (CreditReason.GENERATION, -15, 5),
        (CreditReason.REFUND, 4, 9),
    ]


async def test_fifty_at_once_spend_what_is_there(own_database: Database) -> None:
    scope = await make_scope(own_database)

    async def spend() -> int | None:
        async with own_database.write() as session:
            account = CreditAccount(session, scope)
            await account.ensure(FEW)
            try:
                return await account.charge(1)
            except CreditsExhausted:
                return None

    balances = await asyncio.gather(*(spend() for _ in range(50)))
    assert sorted(one for one in balances if one is not None) == list(range(20))
    log = await history(own_database, scope)
    assert [one[2] for one in log] == list(range(20, -1, -1))


async def end_period(database: Database, scope: OrganizationScope, **values: object) -> datetime:
    """Let the period have ended two and a half periods ago; when it did."""
    now = datetime.now(UTC)
    length = timedelta(days=STARTER.period_days)
    end = now - 2.5 * length
    async with database.write() as session:
        await session.execute(
            update(Subscription)
            .where(Subscription.organization_id == scope.organization_id)
            .values(period_start=end - length, period_end=end, **values)
        )
    return end


async def test_a_period_that_ended_is_renewed_once(own_database: Database) -> None:
    scope = await make_scope(own_database)
    async with own_database.write() as session:
        await CreditAccount(session, scope).ensure(FEW)
        await CreditAccount(session, scope).charge(18)
    end = await end_period(own_database, scope)

    async def spend() -> int:
        async with own_database.write() as session:
            return await CreditAccount(session, scope).charge(1)

    balances = await asyncio.gather(*(spend() for _ in range(10)))
    assert sorted(balances) == list(range(10, 20))
    log = await history(own_database, scope)
    assert [one for one in log if one[0] == CreditReason.RENEWAL] == [("renewal", 18, 20)]
    async with own_database.write() as session:
        current = await CreditAccount(session, scope).current()
    # The days on which periods begin stay the same.
    assert current.period_start == end + 2 * timedelta(days=STARTER.period_days)
    assert current.period_start < datetime.now(UTC) < current.period_end


async def test_a_subscription_that_ended_gives_nothing(
    database: Database, scope: OrganizationScope
) -> None:
    async with database.write() as session:
        await CreditAccount(session, scope).ensure(FEW)
    end = await end_period(database, scope, auto_renew=False)
    async with database.write() as session:
        account = CreditAccount(session, scope)
        with pytest.raises(CreditsExhausted, match="0 left"):
            await account.charge(1)
        current = await account.current()
        assert (current.period_end, current.credits_remaining) == (end, 20)
        now = datetime.now(UTC)
        renewed = await account.renew(await account.lock(), now)
        assert (renewed.period_start, renewed.credits_remaining) == (now, 20)
        assert await account.charge(1) == 19
