"""Places and times of tasks that wait, in queues of several organizations."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from configs.plans import load_plans
from configs.settings import Settings
from db.models import Task
from db.repositories import OrganizationScope, TaskRepository
from db.repositories.estimates import CapacityWriter
from db.repositories.limits import LimitWriter
from db.session import Database
from serve_app.core.estimates import Estimate, Estimator, estimator
from serve_app.core.rate_limits import RateLimiter
from tests.factories.organizations import make_scope
from tests.factories.tasks import QUEUE, claim, complete, make_task, make_tasks, new_task

PLANS = load_plans(Settings(environment="test"))


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered between two questions."""
    monkeypatch.setattr(estimator, "_STATE_SECONDS", 0.0)
    monkeypatch.setattr(estimator, "_HISTORY_SECONDS", 0.0)


def make(database: Database) -> Estimator:
    return Estimator(database, RateLimiter(database, PLANS, counts=True))


async def measure(database: Database, scope: OrganizationScope, count: int = 20) -> None:
    """Tasks that took two seconds each, one after the other."""
    for number in range(count):
        await make_task(database, scope)
        (task,) = await claim(database)
        await complete(database, task)
        async with database.write() as session:
            await session.execute(
                text("""
                    UPDATE tasks SET created_at = completed_at - :ago * interval '1 s',
                        claimed_at = completed_at - :ago * interval '1 s',
                        completed_at = completed_at - (:ago - 2) * interval '1 s'
                    WHERE id = :id
                """),
                {"id": task.id, "ago": 10.0 * (number + 1)},
            )


async def tasks_of(database: Database, scope: OrganizationScope) -> list[Task]:
    async with database.read() as session:
        return (await TaskRepository(session, scope).list(size=100)).items


async def all_of(database: Database, scope: OrganizationScope) -> list[Estimate]:
    """In the order in which the tasks were made."""
    tasks = await tasks_of(database, scope)
    found = await make(database).estimates(scope.organization_id, tasks)
    return [found[task.id] for task in reversed(tasks) if task.id in found]


async def test_places_are_the_order_of_the_claims(database: Database) -> None:
    big, small, heavy = [await make_scope(database, weight=weight) for weight in (1.0, 1.0, 2.0)]
    await make_tasks(database, big, 12)
    await claim(database, limit=3)
    await make_tasks(database, small, 4)
    await make_tasks(database, heavy, 6)
    await make_task(database, small, priority=5)
    foretold = {}
    for scope in (big, small, heavy):
        found = await make(database).estimates(
            scope.organization_id, await tasks_of(database, scope)
        )
        foretold |= {task_id: estimate.position for task_id, estimate in found.items()}
    order = [(await claim(database))[0].id for _ in range(20)]
    # Among those that start at the same virtual time, either may be first.
    for place, task_id in enumerate(order, 1):
        assert abs(foretold[task_id] - place) <= 2
    assert sorted(foretold, key=foretold.__getitem__)[:1] == order[:1]


async def test_a_task_that_is_not_there_yet(database: Database, scope: OrganizationScope) -> None:
    await make_tasks(database, scope, 4)
    new = await make(database).foresee(scope.organization_id, new_task())
    urgent = await make(database).foresee(scope.organization_id, new_task(priority=3))
    other = await make_scope(database)
    stranger = await make(database).foresee(other.organization_id, new_task())
    assert (new.position, urgent.position) == (5, 1)
    assert stranger.position <= 2
    assert new.seconds is None
    assert (new.p50_at, new.p90_at) == (None, None)


async def test_times_grow_with_what_is_ahead(database: Database) -> None:
    scope = await make_scope(database)
    await measure(database, scope)
    await make_tasks(database, scope, 5)
    found = await all_of(database, scope)
    assert [one.position for one in found] == [1, 2, 3, 4, 5]
    assert [one.samples for one in found] == [20] * 5
    times = [one.seconds.p50 for one in found if one.seconds]
    assert times == pytest.approx([2, 4, 6, 8, 10], rel=0.05)
    await claim(database)
    (first, *_) = await all_of(database, scope)
    assert first.seconds is not None
    assert first.seconds.p50 == pytest.approx(4, rel=0.05)


async def test_the_limit_of_tasks_at_once_makes_them_wait(database: Database) -> None:
    async with database.write() as session:
        await LimitWriter(session).sync(PLANS)
    scope = await make_scope(database)
    # Ten at a time take as long as one.
    for _ in range(3):
        await make_tasks(database, scope, 5)
        batch = await claim(database, limit=5)
        for task in batch:
            await complete(database, task)
        async with database.write() as session:
            await session.execute(
                text("""
                    UPDATE tasks SET created_at = now() - interval '9 s',
                        claimed_at = now() - interval '9 s', completed_at = now() - interval '7 s'
                """)
            )
    await make_tasks(database, scope, 15)
    found = [one.seconds.p50 for one in await all_of(database, scope) if one.seconds]
    assert found[-1] >= 3 * found[0] * 0.9


async def test_a_replica_that_has_to_start(database: Database) -> None:
    scope = await make_scope(database)
    await measure(database, scope)
    warm = await make(database).foresee(scope.organization_id, new_task())
    async with database.write() as session:
        await CapacityWriter(session).note({QUEUE: 0, "upscaling": 4})
    cold = await make(database).foresee(scope.organization_id, new_task())
    assert warm.seconds is not None
    assert cold.seconds is not None
    assert cold.seconds.p50 == pytest.approx(warm.seconds.p50 + 10)


async def test_far_behind_in_a_long_lane(
    database: Database, scope: OrganizationScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    await measure(database, scope)
    monkeypatch.setattr(estimator, "_LOOKED_AT", 5)
    ids = await make_tasks(database, scope, 12)
    found = {one.position: one.seconds for one in await all_of(database, scope)}
    assert sorted(found) == list(range(1, 13))
    last = found[12]
    assert last is not None
    assert last.p50 == pytest.approx(24, rel=0.1)
    new = await make(database).foresee(scope.organization_id, new_task())
    assert new.position == len(ids) + 1


async def test_what_is_remembered_is_read_anew_for_a_new_task(
    database: Database, scope: OrganizationScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimator, "_STATE_SECONDS", 60.0)
    estimates = make(database)
    await make_task(database, scope)
    await estimates.estimates(scope.organization_id, await tasks_of(database, scope))
    await make_task(database, scope)
    found = await estimates.estimates(scope.organization_id, await tasks_of(database, scope))
    assert sorted(one.position for one in found.values()) == [1, 2]
