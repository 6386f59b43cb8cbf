"""LoRAs in requests for images: found when the task is submitted, and pinned there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from db.repositories.adapters import AdapterWriter
from tests.factories.adapters import make_adapter
from tests.fixtures.api import Tenant


async def submit(tenant: Tenant, *loras: dict[str, Any], **body: Any) -> httpx.Response:
    body = {"prompt": "mira in a dress", "loras": list(loras), **body}
    return await tenant.compute.post("/tasks/generation", json=body)


async def config_of(tenant: Tenant, response: httpx.Response) -> Any:
    assert response.status_code == 201, response.text
    read = await tenant.compute.get(f"/tasks/generation/{response.json()['id']}")
    return read.json()["config"]


async def test_each_way_of_naming_one_is_pinned(tenant: Tenant) -> None:
    first = await make_adapter(tenant.database, tenant.scope)
    second = await make_adapter(tenant.database, tenant.scope)
    style = await make_adapter(tenant.database, tenant.scope, "nordic.light")
    for name, adapter in (
        ("mira", second),
        ("mira@1", first),
        ("mira@2", second),
        (str(first.id), first),
    ):
        response = await submit(
            tenant, {"name": name, "weight": 0.5}, {"name": "nordic.light"}, steps=4
        )
        assert (await config_of(tenant, response))["loras"] == [
            {
                "id": str(adapter.id),
                "name": "mira",
                "version": adapter.version,
                "sha256": adapter.sha256,
                "weight": 0.5,
            },
            {
                "id": str(style.id),
                "name": "nordic.light",
                "version": 1,
                "sha256": style.sha256,
                "weight": 0.8,
            },
        ]


async def test_a_newer_version_changes_nothing_that_is_queued(tenant: Tenant) -> None:
    first = await make_adapter(tenant.database, tenant.scope)
    response = await submit(tenant, {"name": "mira"})
    second = await make_adapter(tenant.database, tenant.scope)
    [pin] = (await config_of(tenant, response))["loras"]
    assert pin["id"] == str(first.id)
    async with tenant.database.write() as session:
        await AdapterWriter(session, tenant.scope).delete(second)
    [pin] = (await config_of(tenant, await submit(tenant, {"name": "mira"})))["loras"]
    assert pin["id"] == str(first.id)


async def test_what_cannot_be_used_is_refused(tenant: Tenant, other: Tenant) -> None:
    adapter = await make_adapter(tenant.database, tenant.scope)
    foreign = await make_adapter(other.database, other.scope, "silk")
    await make_adapter(tenant.database, tenant.scope, "large", base_model="sd-xl-base")
    cases: list[tuple[list[str], str]] = [
        (["mira@2"], "there is no LoRA named 'mira@2'"),
        (["mira", "silk"], "there is no LoRA named 'silk'"),
        (["silk@1"], "there is no LoRA named 'silk@1'"),
        ([str(foreign.id)], f"there is no LoRA named '{foreign.id}'"),
        (["large"], "'large' was made for the model sd-xl-base, not atelier-tiny"),
        (["mira", "mira@1"], "two of the names are of the same LoRA"),
        ([str(adapter.id), "mira"], "two of the names are of the same LoRA"),
    ]
    for names, reason in cases:
        for path, body, loc in (
            ("/tasks/generation", {}, ["body", "loras"]),
            ("/tasks/", {"type": "generation"}, ["body", "generation", "config", "loras"]),
        ):
            config = {"prompt": "a", "loras": [{"name": name} for name in names]}
            whole = {**body, "config": config} if body else config
            refused = await tenant.compute.post(path, json=whole)
            assert refused.status_code == 422
            assert refused.json()["detail"] == [
                {"loc": loc, "msg": f"loras: {reason}", "type": "value_error"}
            ]
    assert (await tenant.stored())["tasks"] == 0


@pytest.mark.parametrize("count", [4, 5])
async def test_up_to_four(tenant: Tenant, count: int) -> None:
    names = [f"lora-{index}" for index in range(count)]
    for name in names:
        await make_adapter(tenant.database, tenant.scope, name)
    response = await submit(tenant, *({"name": name} for name in names))
    assert response.status_code == (201 if count == 4 else 422)
