"""Limits of plans in the database: permits, tasks of a day, tasks at once, what lanes count."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from configs.plans import Plan, Plans, Rate, load_plans
from configs.settings import Settings
from db.listen import TASKS_CHANNEL, Notification
from db.models import Lane, PlanLimit, Task, TaskStatus
from db.repositories import Failure, OrganizationScope, TaskQueue
from db.repositories.credits import CreditAccount
from db.repositories.limits import LimitRepository, LimitWriter, Permits, TaskAdmission
from db.repositories.queue_monitor import Backlog, QueueMonitor
from db.session import Database
from tests.factories.organizations import make_scope
from tests.factories.tasks import QUEUE, claim, complete, fail, make_task, make_tasks

PLANS = load_plans(Settings(environment="test"))
MINUTE = Rate(requests=60, seconds=60)


def plans_with(concurrent_tasks: int | None) -> Plans:
    starter = PLANS["starter"].model_copy(update={"concurrent_tasks": concurrent_tasks})
    return Plans({"starter": starter}, "starter")


async def sync(database: Database, plans: Plans = PLANS) -> None:
    async with database.write() as session:
        await LimitWriter(session).sync(plans)


async def take(
    database: Database, subject: UUID, wanted: int, rate: Rate = MINUTE, bucket: str = "requests"
) -> Permits:
    async with database.statement() as session:
        return await LimitWriter(session).take_permits(subject, bucket, rate, wanted=wanted)


async def pass_seconds(database: Database, seconds: float) -> None:
    """As if so much time had gone by."""
    async with database.write() as session:
        await session.execute(
            text("UPDATE rate_limits SET arrival = arrival - :seconds"), {"seconds": seconds}
        )


# --- permits --------------------------------------------------------------------------------------


async def test_all_permits_may_be_taken_at_once_and_come_back_evenly(database: Database) -> None:
    subject = uuid4()
    first = await take(database, subject, 50)
    assert (first.granted, first.remaining, first.retry_in) == (50, 10, 0)
    assert first.full_in == pytest.approx(50, abs=1)
    assert (await take(database, subject, 50)).granted == 10
    none = await take(database, subject, 1)
    assert (none.granted, none.remaining) == (0, 0)
    assert 0 < none.retry_in <= 1
    await pass_seconds(database, 20)
    assert (await take(database, subject, 60)).granted == 20
    await pass_seconds(database, 3600)
    assert (await take(database, subject, 100)).granted == 60


async def test_buckets_and_subjects_are_apart(database: Database) -> None:
    one, other = uuid4(), uuid4()
    assert (await take(database, one, 60)).granted == 60
    assert (await take(database, other, 60)).granted == 60
    assert (await take(database, one, 60, bucket="monitoring")).granted == 60
    assert (await take(database, one, 1)).granted == 0


async def test_a_rare_request_waits_long(database: Database) -> None:
    rare = Rate(requests=5, seconds=3600)
    subject = uuid4()
    assert (await take(database, subject, 9, rare)).granted == 5
    assert (await take(database, subject, 1, rare)).retry_in == pytest.approx(720, abs=1)


async def test_many_processes_take_no_more_than_there_is(own_database: Database) -> None:
    subject = uuid4()
    slow = Rate(requests=100, seconds=86_400)

    async def taker(seed: int) -> int:
        numbers = random.Random(seed)
        taken = [await take(own_database, subject, numbers.randint(1, 4), slow) for _ in range(20)]
        return sum(one.granted for one in taken)

    assert sum(await asyncio.gather(*(taker(seed) for seed in range(12)))) == 100


async def test_unused_limits_are_forgotten(database: Database) -> None:
    old, new = uuid4(), uuid4()
    await take(database, old, 1)
    await pass_seconds(database, 7200)
    await take(database, new, 1)
    async with database.write() as session:
        await LimitWriter(session).forget_unused(older_than_seconds=3600)
        left = await session.scalars(text("SELECT subject_id FROM rate_limits"))
        assert list(left) == [new]


# --- plans ----------------------------------------------------------------------------------------


async def test_the_tier_of_an_organization(database: Database, scope: OrganizationScope) -> None:
    async def tier() -> str | None:
        async with database.read() as session:
            return await LimitRepository(session).tier_of(scope.organization_id)

    assert await tier() is None
    await sync(database)
    assert await tier() == "starter"
    async with database.write() as session:
        account = CreditAccount(session, scope)
        await account.ensure(PLANS["professional"])
        assert await tier() == "professional"
        await account.change(await account.lock(), {"tier": "withdrawn"})
        assert await tier() == "starter"
        await LimitWriter(session).put_on(scope.organization_id, "enterprise")
        assert await tier() == "enterprise"
        await LimitWriter(session).put_on(scope.organization_id, None)
        assert await tier() == "starter"


async def test_plans_follow_their_file(database: Database) -> None:
    await sync(database)
    await sync(database, plans_with(7))
    async with database.read() as session:
        rows = (await session.scalars(select(PlanLimit))).all()
        assert [(row.tier, row.is_default, row.concurrent_tasks) for row in rows] == [
            ("starter", True, 7)
        ]


# --- tasks of a day -------------------------------------------------------------------------------


async def count(database: Database, scope: OrganizationScope, tasks: int, most: int | None) -> bool:
    async with database.write() as session:
        return await TaskAdmission(session, scope).count(tasks, at_most=most)


async def test_tasks_of_a_day_are_counted_all_or_none(
    database: Database, scope: OrganizationScope
) -> None:
    assert not await count(database, scope, 6, 5)
    assert await count(database, scope, 3, 5)
    assert not await count(database, scope, 3, 5)
    assert await count(database, scope, 2, 5)
    assert not await count(database, scope, 1, 5)
    assert await count(database, scope, 100, None)
    async with database.write() as session:
        await session.execute(text("UPDATE daily_tasks SET day = day - 1"))
    assert await count(database, scope, 5, 5)
    assert not await count(database, scope, 1, 5)


async def test_tasks_of_a_day_are_exact_at_once(own_database: Database) -> None:
    scope = await make_scope(own_database)
    counted = await asyncio.gather(*(count(own_database, scope, 3, 50) for _ in range(30)))
    assert sum(counted) == 16


async def test_a_request_that_fails_counts_nothing(own_database: Database) -> None:
    scope = await make_scope(own_database)
    async with own_database.write() as session:
        assert await TaskAdmission(session, scope).count(5, at_most=5)
        await session.rollback()
    assert await count(own_database, scope, 5, 5)


# --- tasks at once --------------------------------------------------------------------------------


async def test_no_more_tasks_run_than_the_plan_allows(database: Database) -> None:
    await sync(database, plans_with(3))
    scope, other = [await make_scope(database) for _ in range(2)]
    await make_tasks(database, scope, 5)
    await make_tasks(database, scope, 5, queue="upscaling")
    await make_tasks(database, other, 2)
    first = await claim(database, limit=10)
    assert len(first) == 5
    assert await claim(database, limit=10, queue="upscaling") == []
    # One has ended: one more starts, in whichever queue is looked at.
    mine = [task for task in first if task.organization_id == scope.organization_id]
    assert len(mine) == 3
    await complete(database, mine[0])
    assert len(await claim(database, limit=10, queue="upscaling")) == 1
    assert await claim(database, limit=10) == []
    await fail(database, mine[1])
    assert len(await claim(database, limit=10)) == 1


async def test_a_limit_that_is_raised_or_lifted(database: Database) -> None:
    await sync(database, plans_with(1))
    scope = await make_scope(database)
    await make_tasks(database, scope, 6)
    (task,) = await claim(database, limit=9)
    await sync(database, plans_with(3))
    await complete(database, task)
    assert len(await claim(database, limit=9)) == 3
    await sync(database, plans_with(None))
    await make_task(database, scope)
    assert len(await claim(database, limit=9)) == 3


async def test_a_limited_lane_does_not_hold_up_others_nor_starve(database: Database) -> None:
    await sync(database, plans_with(2))
    big, small = [await make_scope(database) for _ in range(2)]
    await make_tasks(database, big, 30)
    running = await claim(database, limit=9)
    assert len(running) == 2
    await make_tasks(database, small, 30)
    assert len(await claim(database, limit=9)) == 2
    served = []
    for _ in range(20):
        await complete(database, running.pop(0))
        claimed = await claim(database, limit=9)
        assert [task.organization_id for task in claimed] == [big.organization_id]
        running += claimed
        served += claimed
    assert len({task.id for task in served}) == 20


async def test_the_end_of_a_task_wakes_the_other_queue(own_database: Database) -> None:
    await sync(own_database, plans_with(1))
    scope = await make_scope(own_database)
    await make_task(own_database, scope)
    await make_task(own_database, scope, queue="upscaling")
    (task,) = await claim(own_database)
    assert await claim(own_database, queue="upscaling") == []
    heard: asyncio.Queue[Notification] = asyncio.Queue()
    await own_database.listen([TASKS_CHANNEL], heard.put_nowait, on_gap=lambda: None)
    await complete(own_database, task)
    async with asyncio.timeout(5):
        assert await heard.get() == Notification(TASKS_CHANNEL, "upscaling")
    assert len(await claim(own_database, queue="upscaling")) == 1


async def test_limits_hold_over_claims_at_once(own_database: Database) -> None:
    await sync(own_database, plans_with(4))
    scopes = [await make_scope(own_database) for _ in range(3)]
    queues = ("generation", "upscaling", "export")
    for scope in scopes:
        for queue in queues:
            await make_tasks(own_database, scope, 12, queue=queue)
    ended = 0

    async def work(queue: str) -> None:
        nonlocal ended
        async with asyncio.timeout(60):
            while ended < 108:
                claimed = await claim(own_database, queue=queue, limit=3)
                async with own_database.read() as session:
                    running = await session.scalars(
                        select(func.count())
                        .where(Task.status == TaskStatus.RUNNING)
                        .group_by(Task.organization_id)
                    )
                    assert max(running, default=0) <= 4
                for task in claimed:
                    assert await complete(own_database, task)
                    ended += 1

    await asyncio.gather(*(work(queue) for queue in queues for _ in range(2)))


async def test_what_a_limit_holds_back_is_no_backlog(database: Database) -> None:
    await sync(database, plans_with(2))
    scope, other = [await make_scope(database) for _ in range(2)]
    await make_tasks(database, scope, 30)
    await make_tasks(database, other, 1)
    await claim(database, limit=2, capacity=2)
    async with database.read() as session:
        backlog = await QueueMonitor(session).backlog([QUEUE])
    assert backlog == {QUEUE: Backlog(runnable=1, running=2)}


# --- what lanes count -----------------------------------------------------------------------------


async def _work(database: Database, numbers: random.Random) -> None:
    for task in await claim(database, limit=numbers.randint(1, 3)):
        async with database.write() as session:
            queue = TaskQueue(session)
            match numbers.randrange(4):
                case 0:
                    await queue.settle_completed(task.id, task.attempt, {"images": []})
                case 1:
                    failure = Failure("out_of_memory", "full")
                    await queue.retry_later(task.id, task.attempt, failure, delay=9)
                case 2:
                    await queue.release(task.id, task.attempt)


async def _cancel(database: Database, scope: OrganizationScope) -> None:
    pending = select(Task.id).where(
        Task.status == TaskStatus.PENDING, Task.organization_id == scope.organization_id
    )
    async with database.write() as session:
        for task_id in (await session.scalars(pending.limit(2))).all():
            await TaskQueue(session).cancel(scope, task_id)


async def test_lanes_count_what_waits(own_database: Database) -> None:
    scopes = [await make_scope(own_database) for _ in range(2)]
    numbers = random.Random(5)
    for _ in range(60):
        scope = numbers.choice(scopes)
        match numbers.randrange(5):
            case 0 | 1:
                await make_tasks(own_database, scope, numbers.randint(1, 4), cost=2.5)
            case 2:
                await _work(own_database, numbers)
            case 3:
                await _cancel(own_database, scope)
            case 4:
                async with own_database.write() as session:
                    await session.execute(
                        text(
                            "UPDATE tasks SET lease_expires_at = now() - interval '1 s' "
                            "WHERE status = 'running'"
                        )
                    )
                    await TaskQueue(session).reap_expired(limit=2)
    async with own_database.read() as session:
        counted = await session.execute(
            select(Lane.organization_id, Lane.pending, Lane.pending_cost)
        )
        waiting = await session.execute(
            select(Task.organization_id, func.count(), func.sum(Task.cost))
            .where(Task.status == TaskStatus.PENDING)
            .group_by(Task.organization_id)
        )
        assert sorted(row for row in counted if row.pending) == sorted(waiting)


async def test_pending_tasks_by_queue(database: Database) -> None:
    scope, other = [await make_scope(database) for _ in range(2)]
    await make_tasks(database, scope, 3)
    await make_tasks(database, other, 4)
    async with database.write() as session:
        found = await TaskAdmission(session, scope).pending({QUEUE: 1, "upscaling": 1})
    assert found == {QUEUE: (3, 7)}


def test_a_plan_with_a_wrong_number_is_refused() -> None:
    with pytest.raises(ValueError, match="concurrent_tasks"):
        Plan.model_validate(PLANS["starter"].model_dump() | {"concurrent_tasks": 0})
