"""The log in pages, in both APIs."""

from __future__ import annotations

import asyncio
import time

import pytest

from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE
from tests.factories.tasks import claim, complete, make_task, make_tasks
from tests.fixtures.api import Tenant


@pytest.mark.parametrize("base", [BACKEND_BASE, COMPUTE_BASE])
async def test_pages_make_up_the_log(tenant: Tenant, base: str) -> None:
    ids = await make_tasks(tenant.database, tenant.scope, 7)
    seen, after = [], 0
    # A page that is full may be followed by an empty one.
    while True:
        async with tenant.gateway.client(tenant.api_key, base) as client:
            page = (await client.get("/events", params={"after": after, "limit": 3})).json()
        assert page["last_seq"] == 7
        seen += page["items"]
        after = page["next_after"]
        if not page["items"]:
            break
    assert [event["seq"] for event in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert sorted(event["subject_id"] for event in seen) == sorted(ids)
    assert after == 7


async def test_filters_leave_the_place_at_the_end_of_what_was_looked_at(tenant: Tenant) -> None:
    queue = tenant.organization_id.hex
    first = await make_task(tenant.database, tenant.scope, queue=queue)
    (claimed,) = await claim(tenant.database, queue=queue)
    assert claimed.id == first
    await complete(tenant.database, claimed)
    await make_tasks(tenant.database, tenant.scope, 2)

    async def ask(**params: object) -> dict:
        return (await tenant.compute.get("/events", params=params)).json()

    ended = await ask(kind="task.completed")
    assert [event["kind"] for event in ended["items"]] == ["task.completed"]
    assert (ended["next_after"], ended["last_seq"]) == (5, 5)
    assert len((await ask(kind=["task.completed", "task.running"]))["items"]) == 2
    assert len((await ask(kind="task.*"))["items"]) == 5
    assert len((await ask(kind="shot.*"))["items"]) == 0
    about = await ask(subject_id=first)
    assert [event["kind"] for event in about["items"]] == [
        "task.created",
        "task.running",
        "task.completed",
    ]
    assert about["next_after"] == 5
    # Beyond the end nothing is lost: what comes then has a higher number.
    assert (await ask(after=5))["next_after"] == 5
    refused = await tenant.compute.get("/events", params={"kind": "task.exploded"})
    assert refused.status_code == 422
    assert "task.completed" in refused.text


async def test_waiting_for_the_next_event(tenant: Tenant) -> None:
    async def later() -> None:
        await asyncio.sleep(0.3)
        await make_task(tenant.database, tenant.scope)

    began = time.monotonic()
    page, _ = await asyncio.gather(
        tenant.compute.get("/events", params={"wait": 20}, timeout=30), later()
    )
    assert [event["kind"] for event in page.json()["items"]] == ["task.created"]
    assert 0.3 <= time.monotonic() - began < 4


async def test_others_see_nothing_of_it(tenant: Tenant, other: Tenant) -> None:
    await make_task(tenant.database, tenant.scope)
    assert (await other.compute.get("/events")).json() == {
        "items": [],
        "next_after": 0,
        "last_seq": 0,
    }
