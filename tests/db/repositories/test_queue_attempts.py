"""The life of a claimed task: leases, fencing, failures, cancellation, and a log without gaps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from db.models import Event, TaskStatus
from db.repositories import (
    Backlog,
    EventRepository,
    Failure,
    OrganizationScope,
    ProgressReport,
    QueueMonitor,
    TaskQueue,
)
from db.session import Database
from tests.factories.organizations import make_scope
from tests.factories.tasks import (
    QUEUE,
    RUNNER,
    claim,
    complete,
    fail,
    make_task,
    make_tasks,
    read_task,
)

OOM = Failure("out_of_memory", "the device ran out of memory")


async def expire_leases(database: Database) -> None:
    async with database.write() as session:
        await session.execute(
            text(
                "UPDATE tasks SET lease_expires_at = now() - interval '1 s' WHERE status='running'"
            )
        )


async def kinds(database: Database, scope: OrganizationScope) -> list[str]:
    async with database.read() as session:
        return [event.kind for event in await EventRepository(session, scope).after(0)]


async def test_a_task_from_start_to_end(database: Database, scope: OrganizationScope) -> None:
    task_id = await make_task(database, scope)
    (task,) = await claim(database, lease_seconds=10)
    assert (task.id, task.attempt, task.failed_attempts) == (task_id, 1, 0)
    assert task.lease_expires_at - task.claimed_at == timedelta(seconds=10)
    assert await complete(database, task)
    row = await read_task(database, scope, task_id)
    assert row.status is TaskStatus.COMPLETED
    assert (row.output, row.progress, row.lease_expires_at) == ({"images": []}, 1.0, None)
    assert row.created_at <= row.started_at <= row.completed_at
    assert await kinds(database, scope) == ["task.created", "task.running", "task.completed"]


async def test_a_result_is_stored_once(own_database: Database) -> None:
    scope = await make_scope(own_database)
    await make_task(own_database, scope)
    (task,) = await claim(own_database)
    outcomes = await asyncio.gather(
        *(complete(own_database, task) for _ in range(8)), *(fail(own_database, task) for _ in "ab")
    )
    assert sum(outcomes) == 1
    assert len(await kinds(own_database, scope)) == 3


async def test_a_lost_runner_changes_nothing(database: Database, scope: OrganizationScope) -> None:
    task_id = await make_task(database, scope)
    (old,) = await claim(database, runner_id="lost")
    await expire_leases(database)
    async with database.write() as session:
        (reaped,) = await TaskQueue(session).reap_expired()
    assert (reaped.id, reaped.status) == (task_id, TaskStatus.PENDING)
    (new,) = await claim(database, runner_id="other")
    assert new.attempt == 2
    assert [(f["code"], f["runner"], f["attempt"]) for f in new.failures] == [
        ("runner_lost", "lost", 1)
    ]
    assert not await complete(database, old)
    assert not await fail(database, old)
    async with database.write() as session:
        queue = TaskQueue(session)
        assert not await queue.retry_later(old.id, old.attempt, OOM, delay=0)
        assert not await queue.release(old.id, old.attempt)
        await queue.report_progress("lost", [ProgressReport(old.id, old.attempt, 0.9)])
        held = await queue.heartbeat("lost", lease_seconds=9, held=[(old.id, old.attempt)])
        assert held == set()
    row = await read_task(database, scope, task_id)
    assert (row.status, row.progress, row.runner_id) == (TaskStatus.RUNNING, 0.0, "other")
    assert await complete(database, new)


async def test_leases_are_reaped_once_by_many(own_database: Database) -> None:
    scopes = [await make_scope(own_database) for _ in range(4)]
    for scope in scopes:
        await make_tasks(own_database, scope, 10)
    assert len(await claim(own_database, limit=40)) == 40
    await expire_leases(own_database)

    reaped: list[str] = []

    async def reap() -> None:
        for _ in range(3):
            async with own_database.write() as session:
                tasks = await TaskQueue(session).reap_expired(limit=7)
            reaped.extend(task.id for task in tasks)

    await asyncio.gather(*(reap() for _ in range(4)))
    assert len(reaped) == len(set(reaped)) == 40
    assert {task.attempt for task in await claim(own_database, limit=50)} == {2}


async def test_a_task_that_loses_every_runner_fails(
    database: Database, scope: OrganizationScope
) -> None:
    task_id = await make_task(database, scope, max_attempts=2)
    for _ in range(2):
        assert len(await claim(database)) == 1
        await expire_leases(database)
        async with database.write() as session:
            await TaskQueue(session).reap_expired()
    row = await read_task(database, scope, task_id)
    assert (row.status, row.error_code, len(row.failures)) == (TaskStatus.FAILED, "runner_lost", 2)
    assert row.completed_at is not None


async def test_heartbeats_keep_the_lease(database: Database, scope: OrganizationScope) -> None:
    await make_tasks(database, scope, 2)
    first, second = await claim(database, limit=2)
    await expire_leases(database)
    async with database.write() as session:
        queue = TaskQueue(session)
        held = await queue.heartbeat(
            RUNNER, lease_seconds=30, held=[(first.id, 1), (second.id, 99), ("task_unknown", 1)]
        )
        assert held == {first.id}
        assert [task.id for task in await queue.reap_expired()] == [second.id]


async def test_progress_only_grows(database: Database, scope: OrganizationScope) -> None:
    task_id = await make_task(database, scope)
    await claim(database)
    for reported, expected in [(0.25, 0.25), (0.75, 0.75), (0.5, 0.75)]:
        async with database.write() as session:
            report = ProgressReport(task_id, 1, reported)
            await TaskQueue(session).report_progress(RUNNER, [report])
        assert (await read_task(database, scope, task_id)).progress == expected


async def test_retry_waits_and_keeps_the_reason(own_database: Database) -> None:
    scope = await make_scope(own_database)
    task_id = await make_task(own_database, scope)
    (task,) = await claim(own_database)
    async with own_database.write() as session:
        assert await TaskQueue(session).retry_later(task.id, task.attempt, OOM, delay=0.3)
    async with own_database.read() as session:
        wake = await QueueMonitor(session).next_wake(QUEUE)
        assert await QueueMonitor(session).backlog([QUEUE]) == {QUEUE: Backlog(0, 0)}
    assert wake is not None
    assert await claim(own_database) == []
    await asyncio.sleep(max(0, (wake - datetime.now(UTC)).total_seconds()) + 0.01)
    (again,) = await claim(own_database)
    assert (again.id, again.attempt) == (task_id, 2)
    assert [(f["code"], f["reason"]) for f in again.failures] == [(OOM.code, OOM.reason)]
    assert await kinds(own_database, scope) == [
        "task.created", "task.running", "task.retrying", "task.running",
    ]  # fmt: skip


async def test_a_released_task_is_as_good_as_new(
    database: Database, scope: OrganizationScope
) -> None:
    first, _ = await make_tasks(database, scope, 2)
    (task,) = await claim(database)
    async with database.write() as session:
        assert await TaskQueue(session).release(task.id, task.attempt)
    (again,) = await claim(database)
    assert (again.id, again.attempt, again.failed_attempts) == (first, 2, 0)


async def test_a_cancelled_pending_task_never_starts(
    database: Database, scope: OrganizationScope
) -> None:
    task_id = await make_task(database, scope)
    async with database.write() as session:
        cancellation = await TaskQueue(session).cancel(scope, task_id)
    assert cancellation is not None
    assert cancellation.changed
    assert cancellation.task.status is TaskStatus.CANCELLED
    assert await claim(database) == []
    assert await kinds(database, scope) == ["task.created", "task.cancelled"]


async def test_a_cancelled_running_task_is_lost_to_its_runner(
    database: Database, scope: OrganizationScope
) -> None:
    task_id = await make_task(database, scope)
    (task,) = await claim(database)
    async with database.write() as session:
        queue = TaskQueue(session)
        await queue.cancel(scope, task_id)
        assert await queue.heartbeat(RUNNER, lease_seconds=9, held=[(task_id, 1)]) == set()
    assert not await complete(database, task)


async def test_what_has_ended_stays_as_it_is(database: Database, scope: OrganizationScope) -> None:
    task_id = await make_task(database, scope)
    (task,) = await claim(database)
    await complete(database, task)
    async with database.write() as session:
        cancellation = await TaskQueue(session).cancel(scope, task_id)
    assert cancellation is not None
    assert not cancellation.changed
    assert cancellation.task.status is TaskStatus.COMPLETED


async def test_another_tenant_cannot_cancel(database: Database, scope: OrganizationScope) -> None:
    task_id = await make_task(database, scope)
    stranger = await make_scope(database)
    async with database.write() as session:
        assert await TaskQueue(session).cancel(stranger, task_id) is None
    assert (await read_task(database, scope, task_id)).status is TaskStatus.PENDING


@pytest.mark.parametrize("round_", range(3))
async def test_cancel_races_with_claim_and_settle(own_database: Database, round_: int) -> None:
    scope = await make_scope(own_database)
    ids = await make_tasks(own_database, scope, 40)
    settled: list[str] = []
    cancelled: list[str] = []

    async def work() -> None:
        while tasks := await claim(own_database, limit=2):
            settled.extend([task.id for task in tasks if await complete(own_database, task)])

    async def cancel() -> None:
        for task_id in ids[round_::2]:
            async with own_database.write() as session:
                cancellation = await TaskQueue(session).cancel(scope, task_id)
            if cancellation is not None and cancellation.changed:
                cancelled.append(task_id)

    await asyncio.gather(work(), cancel(), work())
    await work()
    assert sorted(settled + cancelled) == sorted(ids)
    async with own_database.read() as session:
        ended = await session.scalars(
            select(Event.subject_id).where(
                Event.kind.in_(["task.completed", "task.cancelled", "task.failed"])
            )
        )
        assert sorted(ended) == sorted(ids)


async def test_backlog_counts_up_to_its_limit(database: Database, scope: OrganizationScope) -> None:
    await make_tasks(database, scope, 7)
    await claim(database, limit=2)
    async with database.read() as session:
        monitor = QueueMonitor(session)
        assert await monitor.backlog([QUEUE, "idle"]) == {
            QUEUE: Backlog(runnable=5, running=2),
            "idle": Backlog(0, 0),
        }
        assert await monitor.backlog([QUEUE], limit=3) == {QUEUE: Backlog(3, 2)}
