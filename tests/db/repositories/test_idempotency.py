from __future__ import annotations

import asyncio

from sqlalchemy import text

from db.repositories import IdempotencyRepository, OrganizationScope
from db.repositories.idempotency import StoredResponse, delete_expired_keys
from db.session import Database
from tests.factories.organizations import make_scope

ANSWER = {"id": "task_1"}


async def answer(database: Database, scope: OrganizationScope, fingerprint: str) -> object:
    """One request with the key ``k``: what it found, after answering if it found nothing."""
    async with database.write() as session:
        keys = IdempotencyRepository(session, scope)
        found = await keys.begin("k", fingerprint)
        if found is None:
            await asyncio.sleep(0.02)
            await keys.store("k", 201, ANSWER)
    return found


async def test_twins_get_one_answer(own_database: Database) -> None:
    scope = await make_scope(own_database)
    found = await asyncio.gather(*(answer(own_database, scope, "f") for _ in range(6)))
    assert found.count(None) == 1
    assert found.count(StoredResponse("f", 201, ANSWER)) == 5


async def test_another_request_with_the_key_sees_the_first_fingerprint(
    database: Database, scope: OrganizationScope
) -> None:
    assert await answer(database, scope, "first") is None
    assert await answer(database, scope, "other") == StoredResponse("first", 201, ANSWER)
    assert await answer(database, await make_scope(database), "other") is None


async def test_a_request_that_failed_leaves_the_key_free(own_database: Database) -> None:
    scope = await make_scope(own_database)
    async with own_database.write() as session:
        assert await IdempotencyRepository(session, scope).begin("k", "f") is None
        await session.rollback()
    assert await answer(own_database, scope, "f") is None


async def test_keys_last_a_day(database: Database, scope: OrganizationScope) -> None:
    await answer(database, scope, "f")
    for age, expired in [("23 hours", 0), ("25 hours", 1)]:
        async with database.write() as session:
            await session.execute(
                text(f"UPDATE idempotency_keys SET created_at = now() - interval '{age}'")
            )
        if expired:
            assert await answer(database, scope, "new") is None
            async with database.write() as session:
                await session.execute(
                    text("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
                )
        async with database.write() as session:
            assert await delete_expired_keys(session) == expired
