"""Tasks, brought into any state by the queue itself."""

from __future__ import annotations

from typing import Any

from db.models import Task
from db.repositories import (
    ClaimedTask,
    Failure,
    NewTask,
    OrganizationScope,
    TaskQueue,
    TaskRepository,
)
from db.session import Database

QUEUE = "generation"
RUNNER = "runner-1"


def new_task(**changes: Any) -> NewTask:
    values: dict[str, Any] = {"type": "generation", "queue": QUEUE, "config": {"prompt": "a dress"}}
    return NewTask(**{**values, **changes})


async def make_tasks(
    database: Database, scope: OrganizationScope, count: int, **changes: Any
) -> list[str]:
    """Queue ``count`` tasks; their ids, oldest first."""
    async with database.write() as session:
        tasks = await TaskQueue(session).enqueue_many(
            scope, [new_task(**changes) for _ in range(count)]
        )
    return [task.id for task in tasks]


async def make_task(database: Database, scope: OrganizationScope, **changes: Any) -> str:
    return (await make_tasks(database, scope, 1, **changes))[0]


async def claim(database: Database, **changes: Any) -> list[ClaimedTask]:
    values: dict[str, Any] = {
        "queue": QUEUE,
        "runner_id": RUNNER,
        "capacity": 10_000,
        "limit": 1,
        "lease_seconds": 30.0,
    }
    async with database.write() as session:
        return await TaskQueue(session).claim(**{**values, **changes})


async def complete(database: Database, task: ClaimedTask) -> bool:
    async with database.write() as session:
        return await TaskQueue(session).settle_completed(task.id, task.attempt, {"images": []})


async def fail(database: Database, task: ClaimedTask) -> bool:
    async with database.write() as session:
        failure = Failure("inference_failed", "the model raised")
        return await TaskQueue(session).settle_failed(task.id, task.attempt, failure)


async def read_task(database: Database, scope: OrganizationScope, task_id: str) -> Task:
    async with database.read() as session:
        task = await TaskRepository(session, scope).get(task_id)
    assert task is not None
    return task
