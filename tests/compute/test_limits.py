"""Limits as clients meet them: headers, 429 and 503, tasks of a day, a full queue."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from configs.plans import load_plans
from configs.settings import LimitSettings, Settings
from db.repositories.credits import CreditAccount
from db.repositories.limits import TaskAdmission
from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE
from tests.factories.pictures import picture
from tests.factories.tasks import claim, make_tasks
from tests.fixtures.api import Gateway, Tenant, a_tenant, make_settings, running_gateway

GENERATION = {"prompt": "a dress"}
PLANS = load_plans(Settings(environment="test"))
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@pytest.fixture
async def gateway(tmp_path: Path, own_database_url: str) -> AsyncIterator[Gateway]:
    """A gateway that counts requests."""
    settings = make_settings(tmp_path, own_database_url)
    settings = settings.model_copy(update={"limits": LimitSettings()})
    async with running_gateway(settings) as gateway:
        yield gateway


@pytest.fixture
async def tenant(gateway: Gateway) -> AsyncIterator[Tenant]:
    async with a_tenant(gateway) as tenant:
        yield tenant


async def put_on(tenant: Tenant, tier: str) -> None:
    async with tenant.database.write() as session:
        await CreditAccount(session, tenant.scope).ensure(PLANS[tier])


def limits(response: httpx.Response) -> list[int]:
    return [int(response.headers[name]) for name in HEADERS]


async def test_every_response_shows_the_limit(tenant: Tenant) -> None:
    file = {"file": ("dress.png", picture(), "image/png")}
    answers = [
        (200, await tenant.compute.get("/tasks/")),
        (404, await tenant.compute.get("/tasks/task_unknown")),
        (422, await tenant.compute.get("/tasks/?size=0")),
        (201, await tenant.compute.post("/storage/images", files=file)),
        (422, await tenant.compute.post("/tasks/", json={"type": "poem"})),
    ]
    for left, (status, response) in zip(range(59, 0, -1), answers, strict=False):
        assert response.status_code == status, response.text
        limit, remaining, reset = limits(response)
        assert (limit, remaining) == (60, left)
        assert 0 < reset - time.time() < 10


async def test_strangers_and_the_backend_are_not_counted(gateway: Gateway, tenant: Tenant) -> None:
    async with gateway.client(None, COMPUTE_BASE) as stranger:
        response = await stranger.get("/tasks/")
    assert response.status_code == 401
    assert not any(name in response.headers for name in HEADERS)
    async with gateway.client(tenant.api_key, BACKEND_BASE) as studio:
        response = await studio.get("/brands/")
    assert response.status_code == 200
    assert not any(name in response.headers for name in HEADERS)


async def test_one_request_too_many(tenant: Tenant, other: Tenant) -> None:
    for _ in range(60):
        assert (await tenant.compute.get("/tasks/")).status_code == 200
    while (response := await tenant.compute.get("/tasks/")).status_code == 200:
        continue
    assert response.status_code == 429
    wait = int(response.headers["Retry-After"])
    assert response.json() == {"detail": "Rate limit exceeded", "retry_after": wait}
    assert response.headers["X-RateLimit-Retry-After"] == str(wait)
    assert wait == 1
    assert limits(response)[:2] == [60, 0]
    assert 58 <= limits(response)[2] - time.time() <= 62
    assert (await other.compute.get("/tasks/")).status_code == 200


async def test_generations_have_a_limit_of_their_own(tenant: Tenant) -> None:
    await put_on(tenant, "professional")
    for number in range(30):
        if number % 2:
            body: dict[str, Any] = {"type": "generation", "config": GENERATION}
            response = await tenant.compute.post("/tasks/", json=body)
        else:
            response = await tenant.compute.post("/tasks/generation", json=GENERATION)
        assert response.status_code == 201, response.text
    for _ in range(4):
        response = await tenant.compute.post("/tasks/generation", json=GENERATION)
    assert response.status_code == 429
    assert limits(response)[0] == 30
    task = {"type": "generation", "config": GENERATION}
    assert (await tenant.compute.post("/tasks/", json=task)).status_code == 429
    # Other requests go on.
    response = await tenant.compute.get("/tasks/")
    assert response.status_code == 200
    assert limits(response)[0] == 300


async def test_trainings_of_an_hour(tenant: Tenant) -> None:
    body = {"dataset_url": "http://127.0.0.1/none.zip", "output_name": "mira"}
    for _ in range(5):
        assert (await tenant.compute.post("/training/", json=body)).status_code == 422
    response = await tenant.compute.post("/training/", json=body)
    assert response.status_code == 429
    assert 700 < response.json()["retry_after"] <= 720
    assert limits(response)[0] == 5


async def test_the_platforms_own_key_is_hardly_limited(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{COMPUTE_BASE}/tasks/")
    assert limits(response)[0] == PLANS["internal"].requests_per_minute


async def test_tasks_at_once_are_queued_and_not_refused(tenant: Tenant) -> None:
    for _ in range(8):
        response = await tenant.compute.post("/tasks/generation", json=GENERATION)
        assert response.status_code == 201
    mine = [
        task
        for task in await claim(tenant.database, limit=10_000)
        if task.organization_id == tenant.organization_id
    ]
    assert len(mine) == 5


async def test_tasks_of_a_day(tenant: Tenant) -> None:
    async with tenant.database.write() as session:
        assert await TaskAdmission(session, tenant.scope).count(498, at_most=500)
    headers = {"Idempotency-Key": "first"}
    for _ in range(3):  # one, however often it is sent
        response = await tenant.compute.post("/tasks/generation", json=GENERATION, headers=headers)
        assert response.status_code == 201
    refused = await tenant.compute.post("/tasks/generation", json={"prompt": "x", "steps": 9999})
    assert refused.status_code == 422  # counts nothing
    assert (await tenant.compute.post("/tasks/generation", json=GENERATION)).status_code == 201
    stored = await tenant.stored()
    response = await tenant.compute.post("/tasks/generation", json=GENERATION)
    assert response.status_code == 429
    wait = int(response.headers["Retry-After"])
    assert response.json() == {"detail": "Daily task limit reached", "retry_after": wait}
    assert abs(wait - (86_400 - time.time() % 86_400)) < 5
    assert await tenant.stored() == stored
    async with tenant.database.write() as session:
        await session.execute(
            text("UPDATE daily_tasks SET day = day - 1 WHERE organization_id = :id"),
            {"id": tenant.organization_id},
        )
    assert (await tenant.compute.post("/tasks/generation", json=GENERATION)).status_code == 201


@pytest.mark.parametrize(
    "bounds", [{"pending_per_organization": 3}, {"pending": 3}], ids=["own", "everybody's"]
)
async def test_a_full_queue(bounds: dict[str, int], tmp_path: Any, own_database_url: str) -> None:
    settings = make_settings(tmp_path, own_database_url)
    settings = settings.model_copy(update={"limits": LimitSettings(**bounds)})
    async with running_gateway(settings) as gateway, a_tenant(gateway) as tenant:
        await make_tasks(tenant.database, tenant.scope, 2)
        assert (await tenant.compute.post("/tasks/generation", json=GENERATION)).status_code == 201
        stored = await tenant.stored()
        response = await tenant.compute.post("/tasks/generation", json=GENERATION)
        assert response.status_code == 503
        assert response.json() == {"detail": "The queue is full, try again later"}
        assert int(response.headers["Retry-After"]) > 0
        assert await tenant.stored() == stored
        async with a_tenant(gateway) as other:
            response = await other.compute.post("/tasks/generation", json=GENERATION)
            assert response.status_code == (503 if "pending" in bounds else 201)
        await claim(tenant.database, limit=1)
        assert (await tenant.compute.post("/tasks/generation", json=GENERATION)).status_code == 201
