"""Results that come in together are written together, and none of them harms another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from db.models import TaskStatus
from db.repositories import OrganizationScope
from db.repositories.queue import ClaimedTask, Completion
from db.session import Database, WriteSession
from serve_app.compute.runner.settlements import Settlements
from tests.factories.organizations import make_scope
from tests.factories.tasks import claim, make_tasks, read_task


class Notes:
    """Writes down of which tasks it was told together, and fails at some."""

    def __init__(self, *odd: str) -> None:
        self.told: list[list[str]] = []
        self.odd = set(odd)

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        self.told.append(list(task_ids))
        if self.odd & set(task_ids):
            await session.execute(text("SELECT 1 / 0"))

    async def catch_up(self, database: Database) -> None:
        raise NotImplementedError


async def running(database: Database, count: int) -> tuple[OrganizationScope, list[ClaimedTask]]:
    scope = await make_scope(database)
    await make_tasks(database, scope, count)
    return scope, await claim(database, limit=count)


def result(task: ClaimedTask, **changes: Any) -> Completion:
    values = {"attempt": task.attempt, "output": {"images": []}, "timeline": {}} | changes
    return Completion(task_id=task.id, **values)


async def test_they_go_together(own_database: Database) -> None:
    scope, tasks = await running(own_database, 40)
    notes = Notes()
    desk = Settlements(own_database, [notes])
    settled = await asyncio.gather(
        *(desk.complete(result(task), scope.organization_id) for task in tasks)
    )
    assert settled == [True] * 40
    assert sum(map(len, notes.told)) == 40
    # The first ones wait for nobody; the others have come in meanwhile.
    assert len(notes.told) <= 3
    for task in tasks:
        assert (await read_task(own_database, scope, task.id)).status is TaskStatus.COMPLETED


async def test_a_lost_lease_is_nobody_else_s_matter(own_database: Database) -> None:
    scope, tasks = await running(own_database, 4)
    desk = Settlements(own_database, [])
    attempts = [task.attempt for task in tasks]
    attempts[2] += 1
    settled = await asyncio.gather(
        *(
            desk.complete(result(task, attempt=attempt), scope.organization_id)
            for task, attempt in zip(tasks, attempts, strict=True)
        )
    )
    assert settled == [True, True, False, True]
    # Somebody who did not hear of the commit asks again.
    assert await desk.complete(result(tasks[0]), scope.organization_id)
    assert (await read_task(own_database, scope, tasks[2].id)).status is TaskStatus.RUNNING


async def test_an_observer_that_fails_undoes_no_result(own_database: Database) -> None:
    scope, tasks = await running(own_database, 5)
    notes = Notes(tasks[3].id)
    desk = Settlements(own_database, [notes])
    settled = await asyncio.gather(
        *(desk.complete(result(task), scope.organization_id) for task in tasks)
    )
    assert settled == [True] * 5
    # The others were told by themselves.
    assert {task.id for task in tasks} == {one[0] for one in notes.told if len(one) == 1}
    assert (await read_task(own_database, scope, tasks[3].id)).status is TaskStatus.COMPLETED


async def test_what_cannot_be_written_is_raised_where_it_comes_from(own_database: Database) -> None:
    scope, tasks = await running(own_database, 3)
    desk = Settlements(own_database, [])
    completions = [result(task) for task in tasks]
    completions[1] = result(tasks[1], output={"images": object()})
    settled = await asyncio.gather(
        *(desk.complete(one, scope.organization_id) for one in completions), return_exceptions=True
    )
    assert [settled[0], settled[2]] == [True, True]
    assert isinstance(settled[1], TypeError)


async def test_a_result_may_be_withdrawn_before_it_is_written(own_database: Database) -> None:
    scope, tasks = await running(own_database, 2)
    desk = Settlements(own_database, [])
    jobs = [
        asyncio.create_task(desk.complete(result(task), scope.organization_id)) for task in tasks
    ]
    await asyncio.sleep(0)
    jobs[1].cancel()
    assert await jobs[0]
    with pytest.raises(asyncio.CancelledError):
        await jobs[1]
    assert jobs[1].cancelled()
    assert (await read_task(own_database, scope, tasks[1].id)).status is TaskStatus.RUNNING


async def test_a_result_that_was_sent_is_written_whatever_becomes_of_the_connection(
    own_database: Database,
) -> None:
    """Whether a commit went through is not known when its answer is lost: it is asked again, also
    for somebody who was cancelled meanwhile."""
    scope, (task,) = await running(own_database, 1)
    desk = Settlements(own_database, [])
    async with own_database.write() as holder:
        await holder.execute(text("SELECT FROM tasks WHERE id = :id FOR UPDATE"), {"id": task.id})
        job = asyncio.create_task(desk.complete(result(task), scope.organization_id))
        blocked = text(
            "SELECT pid FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid() LIMIT 1"
        )
        async with asyncio.timeout(20):
            while (pid := (await holder.execute(blocked)).scalar()) is None:
                await asyncio.sleep(0.02)
        job.cancel()
        await holder.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    assert await job
    assert (await read_task(own_database, scope, task.id)).status is TaskStatus.COMPLETED
