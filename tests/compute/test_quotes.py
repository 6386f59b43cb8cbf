"""Quotes: checked as the real request is, and nothing is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.repositories.limits import TaskAdmission
from tests.compute.tasks.test_endpoints import upload
from tests.factories.datasets import dataset
from tests.factories.pictures import picture
from tests.factories.tasks import claim, complete, make_tasks
from tests.fixtures.api import NOTHING, Tenant, a_tenant, make_settings, running_gateway
from tests.fixtures.web import Web

GENERATION: dict[str, Any] = {"prompt": "a dress", "num_outputs": 3}


@pytest.fixture
async def measured(tmp_path: Path, own_database_url: str) -> AsyncIterator[Tenant]:
    """An installation of its own: what was measured before counts for all organizations."""
    settings = make_settings(tmp_path, own_database_url)
    async with running_gateway(settings) as gateway, a_tenant(gateway) as tenant:
        await _measure(tenant)
        yield tenant


async def _measure(tenant: Tenant) -> None:
    """Five generations of one image that took four seconds."""
    config = {"model": "m", "num_outputs": 1, "steps": 20, "width": 256, "height": 384}
    ids = await make_tasks(tenant.database, tenant.scope, 5, config=config)
    claimed = [task for task in await claim(tenant.database, limit=10_000) if task.id in set(ids)]
    for task in claimed:
        await complete(tenant.database, task)
    async with tenant.database.write() as session:
        await session.execute(
            text("""
                UPDATE tasks SET created_at = completed_at - interval '4 s',
                    claimed_at = completed_at - interval '4 s' WHERE id = ANY (:ids)
            """),
            {"ids": ids},
        )


async def test_a_quote_leaves_nothing(tenant: Tenant, web: Web) -> None:
    url = web.put("/quoted.png", picture(), headers=["Content-Type: image/png"])
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/tasks/generation", GENERATION | {"input_image_url": url}),
        ("/tasks/", {"type": "generation", "config": GENERATION}),
        (
            "/tasks/",
            {"type": "processing", "config": {"operation": "upscale", "image_url": url}},
        ),
    ]
    for path, body in bodies:
        response = await tenant.compute.post(
            path, params={"dry_run": "true"}, json=body, headers={"Idempotency-Key": "one"}
        )
        assert response.status_code == 200, response.text
        quoted = response.json()
        assert quoted.keys() == {"dry_run", "type", "cost", "queue_position", "eta"}
        assert quoted["dry_run"] is True
        assert quoted["cost"] == {"credits": 3 if quoted["type"] == "generation" else 0}
        assert quoted["queue_position"] >= 1
    assert await tenant.stored() == NOTHING
    async with tenant.database.read() as session:
        counted = await session.scalar(
            text("SELECT count(*) FROM daily_tasks WHERE organization_id = :id"),
            {"id": tenant.organization_id},
        )
        assert counted == 0
    # The key is still free for the real request.
    headers = {"Idempotency-Key": "one"}
    response = await tenant.compute.post("/tasks/generation", json=GENERATION, headers=headers)
    assert response.status_code == 201


@pytest.mark.parametrize(
    "wrong", [{"steps": 100_000}, {"num_outputs": 0}, {"model": "unknown"}, {"prompt": ""}]
)
async def test_a_quote_is_checked_as_the_request_is(tenant: Tenant, wrong: dict[str, Any]) -> None:
    body = GENERATION | wrong
    real = await tenant.compute.post("/tasks/generation", json=body)
    quoted = await tenant.compute.post("/tasks/generation?dry_run=1", json=body)
    assert real.status_code == quoted.status_code == 422
    assert quoted.json() == real.json()


async def test_a_training_is_quoted(tenant: Tenant) -> None:
    file = {"file": ("set.zip", dataset(), "application/zip")}
    stored = (await tenant.compute.post("/storage/datasets", files=file)).json()
    before = await tenant.stored()
    body = {"dataset_url": stored["url"], "output_name": "mira", "config": {"steps": 10}}
    response = await tenant.compute.post("/training/?dry_run=true", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["cost"] == {"credits": 0}
    assert response.json()["type"] == "training"
    assert await tenant.stored() == before
    assert (await tenant.compute.get("/training/")).json()["total"] == 0


async def test_a_pending_task_knows_its_place_and_its_time(measured: Tenant) -> None:
    tenant = measured
    tasks = [
        (await tenant.compute.post("/tasks/generation", json=GENERATION)).json() for _ in range(2)
    ]
    assert [(task["queue_position"], task["eta"]) for task in tasks] == [(None, None)] * 2
    read = [(await tenant.compute.get(f"/tasks/{task['id']}")).json() for task in tasks]
    listed = (await tenant.compute.get("/tasks/?status=pending")).json()["items"]
    places = [task["queue_position"] for task in read]
    assert places[0] < places[1]
    assert [task["queue_position"] for task in reversed(listed)] == places
    eta = read[1]["eta"]
    assert 0 < eta["p50"] <= eta["p90"]
    assert eta["samples"] == 5
    p90_at = datetime.fromisoformat(eta["p90_at"])
    assert abs(p90_at - datetime.now(UTC) - timedelta(seconds=eta["p90"])) < timedelta(seconds=5)
    generation = (await tenant.compute.get(f"/tasks/generation/{tasks[0]['id']}")).json()
    assert generation["queue_position"] == places[0]
    await claim(tenant.database, limit=10_000)
    running = (await tenant.compute.get(f"/tasks/{tasks[0]['id']}")).json()
    assert running["status"] == "running"
    assert (running["queue_position"], running["eta"]) == (None, None)


async def test_own_pictures_are_quoted_too(tenant: Tenant) -> None:
    image = await upload(tenant)
    before = await tenant.stored()
    body = GENERATION | {"input_image_url": image["url"]}
    response = await tenant.compute.post("/tasks/generation?dry_run=true", json=body)
    assert response.status_code == 200
    assert await tenant.stored() == before


WORKFLOW: dict[str, Any] = {
    "name": "catalog",
    "steps": [
        {"name": "base", "type": "generation", "config": GENERATION},
        {"name": "seen", "type": "approval", "depends_on": ["base"]},
        {
            "name": "large",
            "type": "processing",
            "config": {"operation": "upscale", "scale": 2},
            "depends_on": ["seen"],
        },
    ],
}


async def test_a_workflow_is_quoted(measured: Tenant) -> None:
    tenant = measured
    before = await tenant.stored()
    response = await tenant.compute.post("/workflows/?dry_run=true", json=WORKFLOW)
    assert response.status_code == 200, response.text
    quoted = response.json()
    assert (quoted["type"], quoted["cost"]) == ("workflow", {"credits": 3})
    assert quoted["queue_position"] >= 1
    assert await tenant.stored() == before
    assert (await tenant.compute.get("/workflows/")).json()["total"] == 0
    wrong = {**WORKFLOW, "steps": [{"name": "base", "type": "poem", "config": {}}]}
    assert (await tenant.compute.post("/workflows/?dry_run=1", json=wrong)).status_code == 422


async def test_the_end_of_a_workflow_is_that_of_its_longest_path(measured: Tenant) -> None:
    tenant = measured
    steps = [
        {"name": name, "type": "generation", "config": GENERATION, "depends_on": after}
        for name, after in (("a", []), ("b", ["a"]), ("c", ["a"]), ("d", ["b", "c"]))
    ]

    async def p50(count: int) -> float:
        body = {"name": "chain", "steps": steps[:count]}
        response = await tenant.compute.post("/workflows/?dry_run=true", json=body)
        assert response.status_code == 200, response.text
        value: float = response.json()["eta"]["p50"]
        return value

    one, two, three, four = [await p50(count) for count in (1, 2, 3, 4)]
    assert one < two < four
    assert three == pytest.approx(two, rel=0.05)


async def test_a_workflow_counts_all_its_tasks_when_it_starts(tenant: Tenant) -> None:
    async def counted() -> int:
        async with tenant.database.read() as session:
            found = await session.scalar(
                text("SELECT tasks FROM daily_tasks WHERE organization_id = :id"),
                {"id": tenant.organization_id},
            )
            return found or 0

    made = await tenant.compute.post("/workflows/", json=WORKFLOW)
    assert made.status_code == 201, made.text
    assert await counted() == 0
    started = await tenant.compute.post(f"/workflows/{made.json()['id']}/start", json={})
    assert started.status_code == 200, started.text
    # One generation, and an enlargement of each of its three images.
    assert await counted() == 4
    async with tenant.database.write() as session:
        assert await TaskAdmission(session, tenant.scope).count(493, at_most=500)
    refused = await tenant.compute.post("/workflows/?start=true", json=WORKFLOW)
    assert refused.status_code == 429
    assert (await tenant.compute.get("/workflows/")).json()["total"] == 1
