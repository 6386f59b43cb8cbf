"""Which task a claim takes: fairness, priority, affinity, capacity."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from db.listen import TASKS_CHANNEL, Notification
from db.models import Task
from db.repositories import OrganizationScope, TaskQueue
from db.session import Database
from tests.factories.organizations import make_scope
from tests.factories.tasks import QUEUE, RUNNER, claim, complete, make_task, make_tasks, new_task


async def drain(database: Database, **changes: object) -> list[str]:
    """Claim everything, one by one; the ids in the order of the claims."""
    order = []
    while tasks := await claim(database, **changes):
        order += [task.id for task in tasks]
    return order


async def served(database: Database, count: int) -> list[UUID]:
    """Claim tasks and end them, one by one; whose they were."""
    owners = []
    for _ in range(count):
        (task,) = await claim(database)
        await complete(database, task)
        owners.append(task.organization_id)
    return owners


async def test_small_organizations_do_not_wait_behind_a_backlog(database: Database) -> None:
    big, *small = [await make_scope(database) for _ in range(3)]
    await make_tasks(database, big, 64)
    for scope in small:
        await make_tasks(database, scope, 3)
    first = await served(database, 9)
    assert Counter(first) == {
        big.organization_id: 3,
        **{scope.organization_id: 3 for scope in small},
    }
    assert set(await served(database, 61)) == {big.organization_id}
    assert await claim(database) == []


async def test_a_new_organization_goes_next(database: Database) -> None:
    old = [await make_scope(database) for _ in range(2)]
    for scope in old:
        await make_tasks(database, scope, 40)
    await served(database, 31)
    new = await make_scope(database)
    await make_tasks(database, new, 5)
    # At most one claim each is ahead of it: those that start at the same virtual time.
    assert new.organization_id in await served(database, 2)


async def test_a_newcomer_may_begin_as_much_as_what_runs(database: Database) -> None:
    """Otherwise the others, who have a whole batch of their own running, would share the next one
    with it, and its third task would wait for three batches."""
    big, *small = [await make_scope(database) for _ in range(3)]
    await make_tasks(database, big, 30)
    running = await claim(database, limit=6)
    for scope in small:
        await make_tasks(database, scope, 5)
    for task in running:
        await complete(database, task)
    next_ones = await claim(database, limit=6)
    assert Counter(task.organization_id for task in next_ones) == {
        scope.organization_id: 3 for scope in small
    }
    rest = [(await claim(database))[0].organization_id for _ in range(9)]
    assert rest.count(big.organization_id) >= 3


async def test_idling_earns_no_credit(database: Database) -> None:
    idle, busy = [await make_scope(database) for _ in range(2)]
    await make_task(database, idle)
    await make_tasks(database, busy, 60)
    await served(database, 40)
    await make_tasks(database, idle, 10)
    assert Counter(await served(database, 20)) == {
        idle.organization_id: 10,
        busy.organization_id: 10,
    }


async def test_waiting_for_a_retry_earns_no_credit(database: Database) -> None:
    waiting, busy = [await make_scope(database) for _ in range(2)]
    await make_task(database, waiting)
    await make_tasks(database, busy, 60)
    for task in await claim(database, limit=2):
        if task.organization_id == waiting.organization_id:
            async with database.write() as session:
                await TaskQueue(session).release(task.id, task.attempt)
                await session.execute(
                    text(
                        "UPDATE lanes SET wake_at = now() + interval '1 hour' "
                        "WHERE organization_id = :id"
                    ),
                    {"id": waiting.organization_id},
                )
    await served(database, 30)
    await make_tasks(database, waiting, 9)
    assert Counter(await served(database, 20)) == {
        waiting.organization_id: 10,
        busy.organization_id: 10,
    }


async def test_expensive_tasks_count_for_what_they_cost(database: Database) -> None:
    cheap, dear = [await make_scope(database) for _ in range(2)]
    await make_tasks(database, cheap, 40, cost=1.0)
    await make_tasks(database, dear, 40, cost=4.0)
    counts = Counter(await served(database, 25))
    assert counts == {cheap.organization_id: 20, dear.organization_id: 5}


async def test_weight_is_a_share(database: Database) -> None:
    light, heavy = await make_scope(database), await make_scope(database, weight=3.0)
    for scope in (light, heavy):
        await make_tasks(database, scope, 40)
    counts = Counter(await served(database, 24))
    assert counts == {light.organization_id: 6, heavy.organization_id: 18}


async def test_priority_then_age_within_an_organization(
    database: Database, scope: OrganizationScope
) -> None:
    low = await make_tasks(database, scope, 2, priority=-1)
    normal = await make_tasks(database, scope, 20)
    high = await make_tasks(database, scope, 2, priority=7)
    assert await drain(database) == high + normal + low


async def test_priority_does_not_reach_across_organizations(database: Database) -> None:
    loud, quiet = [await make_scope(database) for _ in range(2)]
    await make_tasks(database, loud, 10, priority=100)
    await make_tasks(database, quiet, 2)
    assert Counter(await served(database, 4))[quiet.organization_id] == 2


async def test_what_a_replica_has_loaded_goes_first_among_equals(
    database: Database, scope: OrganizationScope
) -> None:
    plain = await make_tasks(database, scope, 3)
    loaded = await make_task(database, scope, affinity="lora-a")
    urgent = await make_task(database, scope, priority=1)
    assert await drain(database, affinity=["lora-a"]) == [urgent, loaded, *plain]


async def test_affinity_does_not_overtake_for_ever(
    database: Database, scope: OrganizationScope
) -> None:
    old = await make_task(database, scope)
    loaded = await make_task(database, scope, affinity="lora-a")
    async with database.write() as session:
        await session.execute(
            text("UPDATE tasks SET created_at = now() - interval '31 seconds' WHERE id = :id"),
            {"id": old},
        )
    assert await drain(database, affinity=["lora-a"]) == [old, loaded]


async def test_queues_do_not_touch_one_another(
    database: Database, scope: OrganizationScope
) -> None:
    await make_task(database, scope, queue="upscaling")
    assert await claim(database) == []
    assert len(await claim(database, queue="upscaling")) == 1


async def test_capacity_counts_what_runs(database: Database, scope: OrganizationScope) -> None:
    await make_tasks(database, scope, 10)
    assert len(await claim(database, capacity=3, limit=2)) == 2
    last = await claim(database, capacity=3, limit=5)
    assert len(last) == 1
    assert await claim(database, capacity=3) == []
    assert await claim(database, capacity=1) == []
    assert await complete(database, last[0])
    assert len(await claim(database, capacity=3, limit=5)) == 1


async def test_newcomers_go_beyond_what_others_fill(database: Database) -> None:
    big, *small = [await make_scope(database) for _ in range(3)]
    await make_tasks(database, big, 30)
    assert len(await claim(database, capacity=8, beyond=4, limit=12)) == 8
    assert await claim(database, capacity=8, beyond=4) == []
    for scope in small:
        await make_tasks(database, scope, 3)
    newcomers = await claim(database, capacity=8, beyond=4, limit=12)
    assert Counter(task.organization_id for task in newcomers) == {
        scope.organization_id: 2 for scope in small
    }
    # Eight are those of the big one; what newcomers have is not taken from it, nor given to it.
    assert await claim(database, capacity=8, beyond=4, limit=12) == []
    await complete(database, newcomers[0])
    (next_one,) = await claim(database, capacity=8, beyond=4, limit=12)
    assert next_one.organization_id in {scope.organization_id for scope in small}


async def test_who_holds_as_much_as_is_beyond_is_no_newcomer(database: Database) -> None:
    one, other = [await make_scope(database) for _ in range(2)]
    await make_tasks(database, one, 10)
    await make_tasks(database, other, 1)
    assert len(await claim(database, capacity=4, beyond=3, limit=7)) == 4
    await make_tasks(database, other, 9)
    held = await claim(database, capacity=4, beyond=3, limit=7)
    assert {task.organization_id for task in held} == {other.organization_id}
    assert len(held) == 2


async def test_a_lane_that_is_locked_by_a_cancel_is_passed_over(own_database: Database) -> None:
    scope, other = [await make_scope(own_database) for _ in range(2)]
    first, second = await make_tasks(own_database, scope, 2)
    third = await make_task(own_database, other)
    heard: asyncio.Queue[Notification] = asyncio.Queue()
    await own_database.listen([TASKS_CHANNEL], heard.put_nowait, on_gap=lambda: None)
    async with own_database.write() as session:
        cancellation = await TaskQueue(session).cancel(scope, first)
        assert cancellation is not None
        assert cancellation.changed
        assert [task.id for task in await claim(own_database)] == [third]
        assert await claim(own_database) == []
        assert heard.empty()
    # It was not put to sleep, and runners are told to look again.
    async with asyncio.timeout(5):
        assert await heard.get() == Notification(TASKS_CHANNEL, QUEUE)
    assert [task.id for task in await claim(own_database)] == [second]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    costs=st.lists(st.integers(1, 5), min_size=5, max_size=5),
)
async def test_backlogged_organizations_get_equal_work(
    database: Database, sizes: list[int], costs: list[int]
) -> None:
    """Goyal et al., theorem 1: while two lanes are backlogged, the work given to them differs by no
    more than one task of each."""
    async with database.write() as session:
        await session.execute(text("TRUNCATE tasks, lanes, queue_clocks CASCADE"))
    cost_of, left = {}, {}
    for size, cost in zip(sizes, costs, strict=False):
        scope = await make_scope(database)
        await make_tasks(database, scope, size, cost=float(cost))
        cost_of[scope.organization_id], left[scope.organization_id] = cost, size
    work = dict.fromkeys(left, 0)
    while all(left.values()):
        owner = (await claim(database))[0].organization_id
        left[owner] -= 1
        work[owner] += cost_of[owner]
        shares = sorted(work, key=work.__getitem__)
        assert work[shares[-1]] - work[shares[0]] <= cost_of[shares[-1]] + cost_of[shares[0]]


async def test_two_runners_never_run_one_task(own_database: Database) -> None:
    scopes = [await make_scope(own_database) for _ in range(5)]
    expected: list[str] = []
    for scope in scopes:
        for _ in range(2):
            expected += await make_tasks(own_database, scope, 200)
    taken: list[tuple[str, int]] = []

    async def runner(name: str) -> None:
        while tasks := await claim(own_database, runner_id=name, limit=7):
            taken.extend((task.id, task.attempt) for task in tasks)
            await asyncio.gather(*(complete(own_database, task) for task in tasks[:1]))

    await asyncio.gather(*(runner(f"runner-{number}") for number in range(10)))
    assert sorted(taken) == [(task_id, 1) for task_id in sorted(expected)]


async def test_capacity_is_in_units_of_cost(database: Database, scope: OrganizationScope) -> None:
    for cost in (3.0, 1.0, 8.0, 1.0):
        await make_task(database, scope, cost=cost)
    # 3 + 1 leave room, so the one of 8 starts too; then there is none.
    assert [task.cost for task in await claim(database, capacity=5, limit=4)] == [3.0, 1.0, 8.0]
    assert await claim(database, capacity=12) == []
    assert [task.cost for task in await claim(database, capacity=13)] == [1.0]


async def test_capacity_is_exact_between_runners(own_database: Database) -> None:
    scope = await make_scope(own_database)
    await make_tasks(own_database, scope, 150)
    capacity, running, most, done = 4, 0, 0, 0

    async def runner(name: str) -> None:
        nonlocal running, most, done
        while done < 150:
            tasks = await claim(own_database, runner_id=name, capacity=capacity, limit=3)
            running += len(tasks)
            most = max(most, running)
            for task in tasks:
                await asyncio.sleep(0.001)
                # Not running any more before the database lets somebody else start.
                running -= 1
                assert await complete(own_database, task)
                done += 1

    at_once = await asyncio.gather(
        *(
            claim(own_database, runner_id=f"first-{number}", capacity=capacity, limit=3)
            for number in range(8)
        )
    )
    first = [task for tasks in at_once for task in tasks]
    assert len(first) == capacity, "eight claims at once fill the capacity and no more"
    for task in first:
        assert await complete(own_database, task)
        done += 1
    await asyncio.gather(*(runner(f"runner-{number}") for number in range(8)))
    assert most <= capacity


async def test_no_wake_up_is_lost(own_database: Database) -> None:
    """Producers and claims race over one lane that is empty most of the time. A task that found its
    lane neither awake nor waking would be left over when all is quiet."""
    scope = await make_scope(own_database)
    produced: list[str] = []
    claimed: list[str] = []
    producing = True

    async def producer() -> None:
        produced.extend([await make_task(own_database, scope) for _ in range(60)])

    async def consumer() -> None:
        while producing:
            claimed.extend(task.id for task in await claim(own_database, limit=2))

    consumers = [asyncio.create_task(consumer()) for _ in range(4)]
    await asyncio.gather(*(producer() for _ in range(6)))
    producing = False
    await asyncio.gather(*consumers)
    claimed += await drain(own_database)
    assert sorted(claimed) == sorted(produced)


async def test_a_claim_during_an_enqueue_does_not_put_its_lane_to_sleep(
    own_database: Database,
) -> None:
    scope = await make_scope(own_database)
    first = await make_task(own_database, scope)
    async with own_database.write() as session:
        second = await TaskQueue(session).enqueue(scope, new_task())
        racing = asyncio.create_task(claim(own_database))
        # Long enough for the claim to have looked; the second task is not committed yet.
        await asyncio.sleep(0.2)
    taken = [task.id for task in await racing]
    assert sorted(taken + await drain(own_database)) == [first, second.id]


async def test_an_enqueue_during_a_claim_finds_its_lane_asleep(own_database: Database) -> None:
    scope = await make_scope(own_database)
    await make_task(own_database, scope)
    async with own_database.write() as session:
        claimed = await TaskQueue(session).claim(
            QUEUE, RUNNER, capacity=9, limit=1, lease_seconds=30
        )
        assert len(claimed) == 1
        racing = asyncio.create_task(make_task(own_database, scope))
        await asyncio.sleep(0.2)
    second = await racing
    assert await drain(own_database) == [second]


async def test_events_and_tasks_of_one_statement_keep_their_order(
    database: Database, scope: OrganizationScope
) -> None:
    async with database.write() as session:
        wanted = [new_task(priority=number) for number in range(20)]
        made: list[Task] = await TaskQueue(session).enqueue_many(scope, wanted)
    assert [task.id for task in made] == [task.id for task in wanted]
    assert all(earlier.id < later.id for earlier, later in pairwise(made))
