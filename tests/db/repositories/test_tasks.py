from __future__ import annotations

from datetime import UTC, datetime, timedelta

from db.models import TaskStatus
from db.repositories import OrganizationScope, TaskRepository
from db.session import Database
from tests.factories.organizations import make_scope
from tests.factories.tasks import claim, make_task, make_tasks


async def test_another_tenants_task_is_not_found(
    database: Database, scope: OrganizationScope
) -> None:
    task_id = await make_task(database, scope)
    stranger = await make_scope(database)
    async with database.read() as session:
        assert await TaskRepository(session, scope).get(task_id) is not None
        assert await TaskRepository(session, stranger).get(task_id) is None
        assert (await TaskRepository(session, stranger).list()).total == 0


async def test_pages_are_newest_first(database: Database, scope: OrganizationScope) -> None:
    ids = await make_tasks(database, scope, 5)
    async with database.read() as session:
        first = await TaskRepository(session, scope).list(page=1, size=2)
        last = await TaskRepository(session, scope).list(page=3, size=2)
        beyond = await TaskRepository(session, scope).list(page=4, size=2)
    assert [task.id for task in first.items] == [ids[4], ids[3]]
    assert [task.id for task in last.items] == [ids[0]]
    assert (beyond.items, beyond.total, first.total) == ([], 5, 5)


async def test_filters(database: Database, scope: OrganizationScope) -> None:
    generation = await make_tasks(database, scope, 2)
    processing = await make_task(database, scope, type="processing", queue="upscaling")
    (running,) = await claim(database)
    soon = datetime.now(UTC) + timedelta(hours=1)
    async with database.read() as session:
        tasks = TaskRepository(session, scope)

        async def ids(**filters: object) -> set[str]:
            return {task.id for task in (await tasks.list(**filters)).items}  # type: ignore[arg-type]

        assert await ids(types=["processing"]) == {processing}
        assert await ids(statuses=[TaskStatus.RUNNING]) == {running.id}
        assert await ids(id_prefix=generation[0][:-1]) >= {generation[0]}
        assert await ids(id_prefix="task%") == set()
        assert await ids(created_after=soon) == set()
        assert await ids(created_before=soon) == {*generation, processing}
        assert await tasks.get(processing, type="generation") is None
