"""An installation without keys captions nothing."""

from __future__ import annotations

from tests.fixtures.api import Tenant


async def test_hosted_captions_need_a_key(tenant: Tenant) -> None:
    body = {"dataset_url": "https://x.example/a.zip", "output_name": "mira"}
    config = {"captioning": "hosted"}
    refused = await tenant.compute.post("/training/", json={**body, "config": config})
    assert refused.status_code == 422
    (fault,) = refused.json()["detail"]
    assert fault["loc"] == ["body", "config", "captioning"]
    assert "no key" in fault["msg"]
