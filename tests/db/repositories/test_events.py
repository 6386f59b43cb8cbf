"""The log of an organization: gapless, in the order of the commits, written by whatever happens."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from sqlalchemy.exc import IntegrityError

from db.repositories import EventRepository, OrganizationScope, TaskQueue
from db.session import Database
from tests.factories.organizations import make_scope
from tests.factories.tasks import claim, complete, make_task, make_tasks, new_task


async def work(database: Database, done: list[str], count: int) -> None:
    while len(done) < count:
        for task in await claim(database, limit=5):
            assert await complete(database, task)
            done.append(task.id)


async def produce(database: Database, scope: OrganizationScope) -> None:
    for _ in range(10):
        await make_tasks(database, scope, 2)
        with suppress(IntegrityError):
            async with database.write() as session:
                twin = new_task()
                await TaskQueue(session).enqueue(scope, twin)
                await TaskQueue(session).enqueue(scope, twin)


async def test_no_gaps_under_concurrency(own_database: Database) -> None:
    scopes = [await make_scope(own_database) for _ in range(3)]
    done: list[str] = []
    async with asyncio.timeout(60):
        await asyncio.gather(
            *(produce(own_database, scope) for scope in scopes * 2),
            *(work(own_database, done, 120) for _ in range(4)),
        )
    for scope in scopes:
        async with own_database.read() as session:
            events = await EventRepository(session, scope).after(0, limit=1000)
            assert await EventRepository(session, scope).last_seq() == len(events)
        assert [event.seq for event in events] == list(range(1, 121))
        assert sorted(events, key=lambda event: event.created_at) == list(events)
        assert set(Counter(event.subject_id for event in events).values()) == {3}


async def test_any_cursor_can_be_replayed(database: Database, scope: OrganizationScope) -> None:
    first, second = await make_tasks(database, scope, 2)
    await claim(database)
    async with database.read() as session:
        log = EventRepository(session, scope)
        assert [event.seq for event in await log.after(1)] == [2, 3]
        assert [event.seq for event in await log.after(0, limit=2)] == [1, 2]
        assert [event.kind for event in await log.after(0, subject_id=first)] == [
            "task.created",
            "task.running",
        ]
        (created,) = await log.after(0, subject_id=second)
    assert created.data == {"type": "generation", "status": "pending", "attempt": 0}


async def test_an_organization_sees_its_own_events(
    database: Database, scope: OrganizationScope
) -> None:
    await make_task(database, scope)
    stranger = await make_scope(database)
    async with database.read() as session:
        assert await EventRepository(session, stranger).after(0) == []
        assert await EventRepository(session, stranger).last_seq() == 0
