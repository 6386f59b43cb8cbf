"""The resource; what is sent is in test_deliveries."""

from __future__ import annotations

from tests.fixtures.api import Tenant
from tests.fixtures.trainers import begin
from tests.fixtures.web import HOST

URL = f"http://{HOST}/hook"


async def test_an_endpoint_and_its_changes(tenant: Tenant) -> None:
    body = {"url": URL, "events": ["task.completed", "shot.*"], "description": "Shop"}
    made = (await tenant.compute.post("/webhooks/", json=body)).json()
    read = (await tenant.compute.get(f"/webhooks/{made['id']}")).json()
    assert made == {**read, "secret": made["secret"]}
    assert {name: read[name] for name in body} == body
    assert read["enabled"]
    url = f"/webhooks/{made['id']}"
    changed = (await tenant.compute.patch(url, json={"events": ["*"], "enabled": False})).json()
    assert (changed["events"], changed["enabled"]) == (["*"], False)
    assert changed["disabled_reason"] == "You disabled it"
    assert (await tenant.compute.post(f"{url}/test")).status_code == 409
    changed = (await tenant.compute.patch(url, json={"enabled": True})).json()
    assert (changed["enabled"], changed["disabled_reason"]) == (True, None)
    assert (await tenant.compute.get("/webhooks/")).json()["items"] == [changed]
    assert (await tenant.compute.delete(url)).status_code == 204
    assert (await tenant.compute.get(url)).status_code == 404


async def test_what_makes_no_sense_is_refused(tenant: Tenant) -> None:
    for body in (
        {"url": URL, "events": ["task.exploded"]},
        {"url": URL, "events": []},
        {"url": "nonsense"},
        {"url": URL, "kinds": ["*"]},
    ):
        assert (await tenant.compute.post("/webhooks/", json=body)).status_code == 422
    made = (await tenant.compute.post("/webhooks/", json={"url": URL})).json()
    assert made["events"] == ["*"]
    for body in ({"url": "http://private.example/"}, {"url": None}, {"enabled": None}):
        refused = await tenant.compute.patch(f"/webhooks/{made['id']}", json=body)
        assert refused.status_code == 422


async def test_fifty_are_enough(tenant: Tenant) -> None:
    for _ in range(50):
        assert (await tenant.compute.post("/webhooks/", json={"url": URL})).status_code == 201
    refused = await tenant.compute.post("/webhooks/", json={"url": URL})
    assert refused.status_code == 409


async def test_trainings_have_webhooks_as_well(tenant: Tenant) -> None:
    training = await begin(tenant.compute, webhook_url=URL)
    assert training["status"] == "pending"
