"""What is made with a LoRA says so, and keeps it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from db.models import Role
from db.repositories import OrganizationScope
from tests.backend.conftest import As
from tests.factories.adapters import make_adapter
from tests.fixtures.api import Gateway


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("subjects", {"name": "Mira"}),
        ("products", {"name": "Dress", "sku": uuid4().hex}),
        ("styles", {"name": "Noir"}),
    ],
)
async def test_a_lora_is_set_changed_and_taken_off(
    gateway: Gateway, acting: As, organization_id: UUID, resource: str, body: dict[str, str]
) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    first, second = [await make_adapter(database, scope) for _ in range(2)]
    async with acting({organization_id: Role.EDITOR}) as editor:
        made = await editor.post(f"/{resource}/", json={**body, "lora_id": str(first.id)})
        assert made.status_code == 201, made.text
        assert made.json()["lora_id"] == str(first.id)
        url = f"/{resource}/{made.json()['id']}"
        for value in (str(second.id), None, str(second.id)):
            changed = await editor.patch(url, json={"lora_id": value})
            assert changed.json()["lora_id"] == value
            assert (await editor.get(url)).json()["lora_id"] == value
        assert (await editor.patch(url, json={})).json()["lora_id"] == str(second.id)
        unknown = await editor.patch(url, json={"lora_id": str(uuid4())})
        assert (unknown.status_code, unknown.json()) == (404, {"detail": "LoRA not found"})
        assert (await editor.patch(url, json={"lora_id": "mira"})).status_code == 422
