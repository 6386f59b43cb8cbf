"""Workflows at a glance, as operators and as members see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from serve_app.gateway import COMPUTE_BASE
from tests.factories.workflows import make_workflow
from tests.fixtures.api import Gateway, Tenant, a_tenant


@pytest.fixture
async def mine(own_gateway: Gateway) -> AsyncIterator[Tenant]:
    async with a_tenant(own_gateway) as tenant:
        yield tenant


@pytest.fixture
async def theirs(own_gateway: Gateway) -> AsyncIterator[Tenant]:
    async with a_tenant(own_gateway) as tenant:
        yield tenant


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    response = await client.get(f"/monitoring/workflows{path}", params=params)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def change(tenant: Tenant, statement: str, **values: Any) -> None:
    async with tenant.database.write() as session:
        await session.execute(text(statement), values)


async def test_workflows_at_a_glance(own_gateway: Gateway, mine: Tenant, theirs: Tenant) -> None:
    first, second, foreign = [
        (await make_workflow(tenant.compute))["id"] for tenant in (mine, mine, theirs)
    ]
    await change(
        mine,
        "UPDATE workflow_steps SET status = 'failed' WHERE workflow_id = :id AND position = 0",
        id=first,
    )
    await change(
        mine,
        "UPDATE workflows SET status = 'paused', started_at = now() - interval '10 s', "
        "error = 'step broke' WHERE id = :id",
        id=first,
    )
    seen = await get(mine.compute, "")
    assert [one["id"] for one in seen["items"]] == [second, first]
    paused = seen["items"][1]
    assert (paused["status"], paused["error"]) == ("paused", "step broke")
    assert paused["steps"] >= 1
    assert paused["steps_done"] == 0
    assert len(paused["failed_steps"]) == 1
    assert 10 <= paused["duration_seconds"] < 60
    assert seen["items"][0]["duration_seconds"] is None
    assert [one["id"] for one in (await get(mine.compute, "", status="paused"))["items"]] == [first]
    assert [one["id"] for one in (await get(mine.compute, "", sort="created_at"))["items"]] == [
        *(first, second)
    ]
    assert (await get(mine.compute, "", id_prefix=second))["total"] == 1
    async with own_gateway.client(base=COMPUTE_BASE) as operator:
        everything = await get(operator, "")
    assert {one["id"] for one in everything["items"]} == {first, second, foreign}
    refused = await mine.compute.get("/monitoring/workflows", params={"sort": "steps"})
    assert refused.status_code == 422


async def test_stats_of_workflows(mine: Tenant, theirs: Tenant) -> None:
    done, old, _ = [(await make_workflow(mine.compute))["id"] for _ in range(3)]
    await make_workflow(theirs.compute)
    end = """
        UPDATE {table} SET status = 'completed', completed_at = now() - {ago},
            started_at = now() - {ago} - interval '4 s'
        WHERE {key} = :id
    """
    for workflow, ago in ((done, "interval '0 s'"), (old, "interval '2 h'")):
        for table, key in (("workflow_steps", "workflow_id"), ("workflows", "id")):
            await change(mine, end.format(table=table, key=key, ago=ago), id=workflow)
    seen = await get(mine.compute, "/stats")
    assert seen["states"]["completed"] == 2
    assert sum(seen["states"].values()) == 3
    assert (seen["completed"], seen["failed"], seen["cancelled"]) == (1, 0, 0)
    assert seen["run_p50_seconds"] == pytest.approx(4)
    assert seen["steps"]
    assert all(step["run_p95_seconds"] == pytest.approx(4) for step in seen["steps"])
    assert (await get(mine.compute, "/stats", window="24h"))["completed"] == 2
    empty = await get(theirs.compute, "/stats")
    assert (empty["completed"], empty["run_p50_seconds"], empty["steps"]) == (0, None, [])
