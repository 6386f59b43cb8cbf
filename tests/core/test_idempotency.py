from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.factories.pictures import picture
from tests.fixtures.api import NOTHING, Tenant
from tests.fixtures.web import Web

BODY = {"prompt": "a dress"}


async def submit(tenant: Tenant, key: str, body: Any = BODY) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return await tenant.compute.post("/tasks/generation", json=body, headers=headers)


async def test_the_same_request_again(tenant: Tenant) -> None:
    first = await submit(tenant, "k")
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    again = await submit(tenant, "k")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await tenant.stored())["tasks"] == 1
    # What was answered first, whatever has happened since.
    await tenant.compute.post(f"/tasks/{first.json()['id']}/cancel")
    assert (await submit(tenant, "k")).json() == first.json()


async def test_another_request_is_a_conflict(tenant: Tenant) -> None:
    await submit(tenant, "k")
    for response in (
        await submit(tenant, "k", {"prompt": "a coat"}),
        await tenant.compute.post(
            "/tasks/",
            json={"type": "generation", "config": BODY},
            headers={"Idempotency-Key": "k"},
        ),
    ):
        assert response.status_code == 409
        assert "Idempotency-Key" in response.json()["detail"]
    assert (await tenant.stored())["tasks"] == 1


async def test_keys_belong_to_their_organization(tenant: Tenant, other: Tenant) -> None:
    mine, theirs = await submit(tenant, "k"), await submit(other, "k", {"prompt": "a coat"})
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


async def test_at_the_same_time_there_is_one_task(tenant: Tenant) -> None:
    responses = await asyncio.gather(*(submit(tenant, "k") for _ in range(8)))
    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["id"] for response in responses}) == 1
    assert (await tenant.stored())["tasks"] == 1


async def test_at_the_same_time_one_of_two_requests_wins(tenant: Tenant) -> None:
    bodies = [{"prompt": "a dress"}, {"prompt": "a coat"}]
    responses = await asyncio.gather(*(submit(tenant, "k", body) for body in bodies))
    assert sorted(response.status_code for response in responses) == [201, 409]
    assert (await tenant.stored())["tasks"] == 1


async def test_a_refused_request_does_not_use_the_key_up(tenant: Tenant) -> None:
    for body in ({"prompt": ""}, {"prompt": "a", "steps": 9999}, {"prompt": "a", "model": "no"}):
        assert (await submit(tenant, "k", body)).status_code == 422
    assert await tenant.stored() == NOTHING
    assert (await submit(tenant, "k")).status_code == 201


async def test_an_answer_does_not_need_the_picture_again(tenant: Tenant, web: Web) -> None:
    url = web.put("/gone.png", picture())
    body = {"prompt": "a dress", "input_image_url": url}
    first = await submit(tenant, "k", body)
    web.put("/gone.png", b"", status="410 Gone")
    assert (await submit(tenant, "k", body)).json() == first.json()
    assert web.asked.count("/gone.png") == 1


async def test_a_slow_picture_holds_no_connection(tenant: Tenant, web: Web) -> None:
    """Or some slow servers would keep everybody out of the database."""
    url = web.slow("/slow.png")
    body = {"prompt": "a dress", "input_image_url": url}
    waiting = [asyncio.create_task(submit(tenant, f"k{n}", body)) for n in range(20)]
    async with asyncio.timeout(20):
        while web.asked.count("/slow.png") < 20:
            await asyncio.sleep(0.02)
    async with tenant.database.read() as session:
        busy = await session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in transaction%'"
            )
        )
    assert busy == 0
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_after_a_day_a_key_is_free_again(tenant: Tenant) -> None:
    first = await submit(tenant, "k")
    async with tenant.database.write() as session:
        await session.execute(
            text(
                "UPDATE idempotency_keys SET created_at = now() - interval '25 hours' "
                "WHERE organization_id = :organization"
            ),
            {"organization": tenant.organization_id},
        )
    second = await submit(tenant, "k", {"prompt": "a coat"})
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", "a" * 201, "\xe9", "\x00", "\t"])
async def test_unusable_keys(tenant: Tenant, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    response = await tenant.compute.post(
        "/tasks/generation",
        json=BODY,
        headers=headers,  # type: ignore[arg-type]
    )
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["header", "Idempotency-Key"]
    assert await tenant.stored() == NOTHING


async def test_a_secret_is_answered_again_and_kept_sealed(tenant: Tenant, web: Web) -> None:
    body = {"url": web.put("/hook", b"")}
    headers = {"Idempotency-Key": "hook"}
    first, again = [
        await tenant.compute.post("/webhooks/", json=body, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await tenant.compute.get("/webhooks/")).json()["total"] == 1
    secret = first.json()["secret"]
    async with tenant.database.read() as session:
        kept = await session.scalar(
            text("SELECT response::text FROM idempotency_keys WHERE organization_id = :id"),
            {"id": tenant.organization_id},
        )
    assert kept is not None
    assert secret not in kept
    other = await tenant.compute.post(
        "/webhooks/", json=body | {"events": ["*"], "description": "x"}, headers=headers
    )
    assert other.status_code == 409
