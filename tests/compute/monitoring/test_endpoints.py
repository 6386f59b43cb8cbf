"""Queues, workers, tasks and figures, as operators and as members see them.

On a gateway of its own: what operators see is of the whole platform.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.models import Role
from db.repositories import Failure, TaskQueue
from db.timeline import Timeline
from serve_app.gateway import COMPUTE_BASE
from tests.factories.adapters import make_adapter
from tests.factories.tasks import claim, complete, fail, make_task, make_tasks
from tests.factories.users import make_token, make_user
from tests.factories.workers import copy_workers, report
from tests.fixtures.api import Gateway, Tenant, a_tenant

UNKNOWN = "task_00000000000000000000000000"


@pytest.fixture
async def mine(own_gateway: Gateway) -> AsyncIterator[Tenant]:
    async with a_tenant(own_gateway) as tenant:
        yield tenant


@pytest.fixture
async def theirs(own_gateway: Gateway) -> AsyncIterator[Tenant]:
    async with a_tenant(own_gateway) as tenant:
        yield tenant


@pytest.fixture
async def operator(own_gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """The holder of the platform's own key."""
    async with own_gateway.client(base=COMPUTE_BASE) as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    response = await client.get(f"/monitoring{path}", params=params)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_queues(mine: Tenant, theirs: Tenant, operator: httpx.AsyncClient) -> None:
    database = mine.database
    await make_tasks(database, mine.scope, 3)
    await make_tasks(database, theirs.scope, 2)
    await make_task(database, theirs.scope, type="training", queue="training")
    await claim(database, limit=1)
    await copy_workers(
        database, [report(), report(id="worker-02"), report(id="r", deployment="TaskRunner")]
    )
    seen = await get(operator, "/queues")
    by_name = {queue["name"]: queue for queue in seen["queues"]}
    assert list(by_name) == ["export", "generation", "training"]
    waited = by_name["generation"].pop("oldest_wait_seconds")
    assert 0 < waited < 60
    assert by_name["generation"] == {
        "name": "generation",
        "pending": 4,
        "running": 1,
        "workers": 2,
        "delayed": 0,
    }
    assert (by_name["training"]["pending"], by_name["training"]["workers"]) == (1, 1)
    assert by_name["export"]["oldest_wait_seconds"] is None
    # A member sees the workers of all, and the tasks of its own.
    own = {queue["name"]: queue for queue in (await get(mine.compute, "/queues"))["queues"]}
    both = {queue["name"]: queue for queue in (await get(theirs.compute, "/queues"))["queues"]}
    assert own["training"]["pending"] == 0
    assert own["generation"]["workers"] == 2
    total = [q["generation"]["pending"] + q["generation"]["running"] for q in (own, both)]
    assert total == [3, 2]


async def test_a_task_that_is_to_be_tried_later_is_delayed(
    mine: Tenant, operator: httpx.AsyncClient
) -> None:
    await make_task(mine.database, mine.scope)
    (task,) = await claim(mine.database)
    async with mine.database.write() as session:
        failure = Failure("replica_lost", "lost")
        await TaskQueue(session).retry_later(task.id, task.attempt, failure, delay=60)
    (queue,) = (await get(operator, "/queues"))["queues"]
    assert (queue["pending"], queue["delayed"], queue["oldest_wait_seconds"]) == (1, 1, None)


async def test_health(mine: Tenant, operator: httpx.AsyncClient) -> None:
    task_id = await make_task(mine.database, mine.scope)
    await copy_workers(
        mine.database,
        [
            report(id="busy", tasks=(task_id,), gpu=0.85),
            report(id="hung", problem="the model has made no step for 121 s"),
            report(id="idle"),
            report(id="lost", at=time.time() - 40),
        ],
    )
    seen = await get(operator, "/workers/health")
    assert (seen["healthy"], seen["unhealthy"], seen["total"]) == (2, 2, 4)
    workers = {worker["id"]: worker for worker in seen["workers"]}
    assert {name: worker["status"] for name, worker in workers.items()} == {
        "busy": "busy",
        "hung": "unhealthy",
        "idle": "idle",
        "lost": "unhealthy",
    }
    assert workers["busy"]["gpu_utilization"] == pytest.approx(0.85)
    assert workers["idle"]["gpu_utilization"] is None
    assert workers["busy"]["last_heartbeat"].endswith("Z")
    assert workers["hung"]["problem"] == "the model has made no step for 121 s"
    assert workers["lost"]["problem"].startswith("silent for 4")


async def test_the_copy_is_what_the_board_says(mine: Tenant, operator: httpx.AsyncClient) -> None:
    database = mine.database
    await copy_workers(database, [report(id="a"), report(id="b"), report(id="c")])
    forgotten = await copy_workers(
        database, [report(id="a", cpu=0.25), report(id="c", at=time.time() - 100)]
    )
    assert forgotten == ["c"]
    seen = await get(operator, "/workers")
    assert [(worker["id"], worker["cpu"]) for worker in seen["items"]] == [("a", 0.25)]
    assert seen["items"][0]["queues"] == ["generation"]


async def test_workers_hold_no_names_of_others(
    mine: Tenant, theirs: Tenant, operator: httpx.AsyncClient
) -> None:
    database = mine.database
    tasks = [await make_task(database, one.scope) for one in (mine, theirs)]
    loras = [await make_adapter(database, one.scope) for one in (mine, theirs)]
    held = report(tasks=tuple(tasks), loras=tuple(lora.sha256 for lora in loras))
    await copy_workers(database, [held])
    (all_of_it,) = (await get(operator, "/workers"))["items"]
    assert set(all_of_it["tasks"]) == set(tasks)
    assert (all_of_it["host"], all_of_it["pid"]) == ("host-1", 4711)
    assert all_of_it["models"] == ["atelier-tiny"]
    for tenant, task, lora in zip((mine, theirs), tasks, loras, strict=True):
        (seen,) = (await get(tenant.compute, "/workers"))["items"]
        assert seen["status"] == "busy"
        assert seen["tasks"] == [task]
        assert (seen["host"], seen["pid"]) == (None, None)
        assert seen["loras"] == [f"{lora.name}@{lora.version}"]


async def test_who_runs_the_platform_may_name_an_organization(
    own_gateway: Gateway, mine: Tenant, theirs: Tenant
) -> None:
    await make_task(mine.database, mine.scope)
    await make_task(mine.database, theirs.scope)
    root = await make_user(mine.database, memberships={}, superuser=True)
    owner = await make_user(mine.database, memberships={mine.organization_id: Role.OWNER})
    token, of_owner = [await make_token(own_gateway.resources, one) for one in (root, owner)]
    async with own_gateway.client(token, COMPUTE_BASE) as client:
        assert (await get(client, "/tasks"))["total"] == 2
        named = {"X-Organization-Id": str(theirs.organization_id)}
        response = await client.get("/monitoring/tasks", headers=named)
        (task,) = response.json()["items"]
        assert task["organization_id"] == str(theirs.organization_id)
    async with own_gateway.client(of_owner, COMPUTE_BASE) as client:
        assert (await get(client, "/tasks"))["total"] == 1


async def test_tasks_are_filtered_and_sorted(mine: Tenant) -> None:
    database, compute = mine.database, mine.compute
    first = await make_task(database, mine.scope, config={"model": "sd-xl-base"}, priority=2)
    second = await make_task(database, mine.scope)
    third = await make_task(database, mine.scope, type="training", queue="training")
    task, other = await claim(database, limit=2)
    assert {task.id, other.id} == {first, second}
    await complete(database, task)
    await fail(database, other)

    async def ids(**params: Any) -> list[str]:
        return [one["id"] for one in (await get(compute, "/tasks", **params))["items"]]

    assert await ids() == [third, second, first]
    assert await ids(sort="created_at") == [first, second, third]
    assert (await ids(sort="-priority"))[0] == first
    assert (await ids(sort="-duration"))[-1] == third  # has none
    assert await ids(status="failed") == [second]
    assert await ids(status=["failed", "completed"]) == [second, first]
    assert await ids(type="training") == [third]
    assert await ids(queue="generation") == [second, first]
    assert await ids(model="sd-xl-base") == [first]
    assert await ids(error_code="inference_failed") == [second]
    assert await ids(id_prefix=first) == [first]
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert await ids(created_after=soon) == []
    assert await ids(created_before=soon, size=1, page=2) == [second]
    (failed,) = (await get(compute, "/tasks", status="failed"))["items"]
    assert failed["error"] == "the model raised"
    assert failed["duration_seconds"] >= 0
    refused = await compute.get("/monitoring/tasks", params={"sort": "secrets"})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["query", "sort"]


async def test_the_timeline_of_a_task(mine: Tenant) -> None:
    """Handed back once, then done: every second from its creation on is in a phase."""
    task_id = await make_task(mine.database, mine.scope)
    (task,) = await claim(mine.database)
    timeline = Timeline(task.attempt, task.claimed_at)
    timeline.enter("fetch")
    timeline.enter("batch")
    timeline.end()
    async with mine.database.write() as session:
        await TaskQueue(session).release(task.id, task.attempt, timeline.as_dict())
    waiting = await get(mine.compute, f"/tasks/{task_id}")
    assert [phase["phase"] for phase in waiting["timeline"]] == [
        *("waiting", "fetch", "batch", "waiting")
    ]
    assert waiting["timeline"][-1]["seconds"] is None
    assert waiting["timeline"][-1]["attempt"] == 2

    (task,) = await claim(mine.database)
    timeline = Timeline(task.attempt, task.claimed_at)
    timeline.enter("compute")
    await asyncio.sleep(0.05)
    timeline.divide({"encode": 0.01, "denoise": 0.02, "decode": 0.01})
    timeline.enter("store")
    timeline.end()
    async with mine.database.write() as session:
        await TaskQueue(session).settle_completed(
            task.id, task.attempt, {"images": []}, timeline.as_dict()
        )
    done = await get(mine.compute, f"/tasks/{task_id}")
    phases = done["timeline"]
    assert [(phase["attempt"], phase["phase"]) for phase in phases] == [
        *((1, "waiting"), (1, "fetch"), (1, "batch")),
        *((2, "waiting"), (2, "compute"), (2, "encode"), (2, "denoise"), (2, "decode")),
        (2, "store"),
    ]
    seconds = {phase["phase"]: phase["seconds"] for phase in phases if phase["attempt"] == 2}
    assert seconds["denoise"] == 0.02
    assert 0.009 < seconds["compute"] < 0.5
    for before, after in itertools.pairwise(phases):
        ended = datetime.fromisoformat(before["started_at"]) + timedelta(seconds=before["seconds"])
        gap = (datetime.fromisoformat(after["started_at"]) - ended).total_seconds()
        assert abs(gap) < 0.2, (before, after)


async def test_a_running_task_names_its_worker(mine: Tenant) -> None:
    task_id = await make_task(mine.database, mine.scope)
    await claim(mine.database)
    held = report(id="r", deployment="TaskRunner", tasks=(task_id,), models=())
    await copy_workers(mine.database, [held, report(tasks=(task_id,))])
    seen = await get(mine.compute, f"/tasks/{task_id}")
    assert (seen["worker"], seen["runner"], seen["status"]) == ("worker-01", "runner-1", "running")
    missing = await mine.compute.get(f"/monitoring/tasks/{UNKNOWN}")
    assert missing.status_code == 404


async def test_stats(mine: Tenant, theirs: Tenant, operator: httpx.AsyncClient) -> None:
    database = mine.database
    await make_tasks(database, mine.scope, 3, cost=2.0)
    claimed = await claim(database, limit=3)
    for task in claimed[:2]:
        async with database.write() as session:
            output = {"images": [{"size": 1000}, {"size": 500}]}
            await TaskQueue(session).settle_completed(task.id, task.attempt, output)
    await fail(database, claimed[2])
    await make_task(database, theirs.scope)
    await complete(database, (await claim(database))[0])
    old = await make_task(database, mine.scope)
    await complete(database, (await claim(database))[0])
    async with database.write() as session:
        past = text("UPDATE tasks SET completed_at = now() - interval '2 hours' WHERE id = :id")
        await session.execute(past, {"id": old})

    seen = await get(mine.compute, "/stats")
    (generation,) = seen["types"]
    counts = [generation[name] for name in ("completed", "failed", "cancelled", "units")]
    assert counts == [2, 1, 0, 4.0]
    assert generation["per_minute"] == pytest.approx(2 / 60)
    assert 0 <= generation["wait_p50_seconds"] <= generation["wait_p95_seconds"] < 30
    assert 0 <= generation["run_p50_seconds"] <= generation["run_p95_seconds"] < 30
    assert seen["failures"] == [{"code": "inference_failed", "type": "generation", "count": 1}]
    assert seen["storage"] == {"media_bytes": 0, "lora_bytes": 0, "output_bytes": 3000}
    assert seen["database"] is None
    day = await get(mine.compute, "/stats", window="24h")
    assert day["types"][0]["completed"] == 3
    everything = await get(operator, "/stats")
    assert everything["types"][0]["completed"] == 3
    assert everything["database"]["bytes"] > 1_000_000
    assert 0 < everything["database"]["connections"] < everything["database"]["max_connections"]
    assert (await mine.compute.get("/monitoring/stats?window=1y")).status_code == 422
