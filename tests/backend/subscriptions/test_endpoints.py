"""Subscriptions: read by members, changed by superusers, every credit accounted for."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx
import pytest

from db.models import Role
from db.repositories import OrganizationScope
from serve_app.core.credits import InsufficientCredits, charge
from tests.backend.conftest import As
from tests.fixtures.api import Gateway


async def spend(gateway: Gateway, organization_id: UUID, amount: int) -> None:
    resources = gateway.resources
    async with resources.database.write() as session:
        scope = OrganizationScope(organization_id)
        await charge(session, scope, resources.plans, amount)


async def ledger(client: httpx.AsyncClient, url: str, **params: str) -> list[tuple[str, int, int]]:
    response = await client.get(f"{url}/credits", params=params)
    assert response.status_code == 200, response.text
    return [(one["reason"], one["amount"], one["balance"]) for one in response.json()["items"]]


async def test_every_organization_has_one(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.VIEWER}) as viewer:
        current = await viewer.get("/subscriptions/current")
        assert current.status_code == 200
        subscription = current.json()
        assert subscription["organization_id"] == str(organization_id)
        assert (subscription["tier"], subscription["is_active"]) == ("starter", True)
        assert subscription["credits_remaining"] == subscription["credits_per_period"] == 500
        assert (await viewer.get("/subscriptions/")).json()["items"] == [subscription]
        url = f"/subscriptions/{subscription['id']}"
        assert (await viewer.get(url)).json() == subscription
        headers = {"If-None-Match": current.headers["etag"]}
        assert (await viewer.get(url, headers=headers)).status_code == 304
        assert (await viewer.get(f"{url}/credits")).status_code == 403


async def test_what_is_spent_is_seen(gateway: Gateway, acting: As, organization_id: UUID) -> None:
    await spend(gateway, organization_id, 480)
    with pytest.raises(InsufficientCredits, match="21 needed, 20 left"):
        await spend(gateway, organization_id, 21)
    async with acting({organization_id: Role.ADMIN}) as admin:
        subscription = (await admin.get("/subscriptions/current")).json()
        assert subscription["credits_remaining"] == 20
        url = f"/subscriptions/{subscription['id']}"
        assert await ledger(admin, url) == [("generation", -480, 20), ("grant", 500, 500)]
        assert await ledger(admin, url, reason="grant") == [("grant", 500, 500)]


async def test_a_superuser_changes_and_renews(
    gateway: Gateway, acting: As, organization_id: UUID
) -> None:
    await spend(gateway, organization_id, 100)
    async with acting(superuser=True) as root:
        named = {"organization_id": str(organization_id)}
        (before,) = (await root.get("/subscriptions/", params=named)).json()["items"]
        url = f"/subscriptions/{before['id']}"
        changed = await root.patch(url, json={"tier": "professional", "auto_renew": False})
        assert changed.status_code == 200
        after = changed.json()
        assert (after["tier"], after["credits_per_period"]) == ("professional", 5000)
        assert (after["credits_remaining"], after["auto_renew"]) == (400, False)
        granted = await root.patch(url, json={"credits_remaining": 450})
        headers = {"If-Match": granted.headers["etag"]}
        renewed = await root.post(f"{url}/renew", headers=headers)
        assert renewed.status_code == 200
        assert renewed.json()["credits_remaining"] == 5000
        assert renewed.json()["period_start"] > before["period_start"]
        assert (await root.post(f"{url}/renew", headers=headers)).status_code == 412
        assert (await ledger(root, url))[:2] == [("renewal", 4550, 5000), ("grant", 50, 450)]


async def test_a_contract_of_its_own(acting: As, organization_id: UUID) -> None:
    async with acting(superuser=True) as root:
        named = {"X-Organization-Id": str(organization_id)}
        before = (await root.get("/subscriptions/current", headers=named)).json()
        url = f"/subscriptions/{before['id']}"
        body = {"tier": "enterprise", "credits_per_period": 123_456}
        assert (await root.patch(url, json=body)).json()["credits_per_period"] == 123_456
        everybodys = await root.get("/subscriptions/", params={"tier": "enterprise", "size": 100})
        assert before["id"] in {one["id"] for one in everybodys.json()["items"]}
        for change, field in (
            ({"tier": "gold"}, "tier"),
            ({"tier": None}, "tier"),
            ({"credits_remaining": -1}, "credits_remaining"),
            ({"credits_per_period": 10**12}, "credits_per_period"),
        ):
            refused = await root.patch(url, json=change)
            assert refused.status_code == 422
            assert refused.json()["detail"][0]["loc"] == ["body", field]


async def test_nobody_else_sees_or_changes_it(
    acting: As, organization_id: UUID, another_organization_id: UUID
) -> None:
    async with (
        acting({organization_id: Role.OWNER}) as owner,
        acting({another_organization_id: Role.OWNER}) as stranger,
    ):
        own = (await owner.get("/subscriptions/current")).json()
        url = f"/subscriptions/{own['id']}"
        for response in await stranger.get(url), await stranger.get(f"{url}/credits"):
            assert (response.status_code, response.json()) == (
                404,
                {"detail": "Subscription not found"},
            )
        listed = (await stranger.get("/subscriptions/")).json()["items"]
        assert [one["organization_id"] for one in listed] == [str(another_organization_id)]
        refused = await owner.patch(url, json={"credits_remaining": 10**6})
        assert refused.status_code == 403
        assert (await owner.post(f"{url}/renew")).status_code == 403
        assert (await owner.get(url)).json() == own


async def test_an_organization_that_is_not_there(acting: As) -> None:
    async with acting(superuser=True) as root:
        missing = {"X-Organization-Id": str(uuid4())}
        for response in (
            await root.get("/subscriptions/current", headers=missing),
            await root.post("/brands/", json={"name": "Nord"}, headers=missing),
        ):
            assert (response.status_code, response.json()) == (
                404,
                {"detail": "Organization not found"},
            )
