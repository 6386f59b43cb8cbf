"""An organization's keys for the Compute API."""

from __future__ import annotations

from uuid import UUID, uuid4

from db.models import Role
from serve_app.gateway import COMPUTE_BASE
from tests.backend.conftest import As
from tests.factories.organizations import make_organization
from tests.fixtures.api import Gateway


async def test_a_key_works_until_it_is_revoked(
    gateway: Gateway, acting: As, organization_id: UUID
) -> None:
    async with acting({organization_id: Role.ADMIN}) as admin:
        made = await admin.post("/api-keys/", json={"name": "nightly import"})
        assert made.status_code == 201
        key = made.json()["key"]
        assert key.startswith(made.json()["prefix"])
        async with gateway.client(key, COMPUTE_BASE) as program:
            task = await program.post("/tasks/generation", json={"prompt": "a dress"})
            assert task.status_code == 201
            listed = (await admin.get("/api-keys/")).json()
            assert "key" not in listed["items"][0]
            assert listed["items"][0]["last_used_at"] is not None
            url = f"/api-keys/{made.json()['id']}"
            assert (await admin.delete(url)).status_code == 204
            assert (await admin.delete(url)).status_code == 404
            assert (await program.get("/tasks/")).status_code == 401
        assert (await admin.get("/api-keys/")).json()["items"][0]["revoked_at"] is not None


async def test_keys_of_others(gateway: Gateway, acting: As, organization_id: UUID) -> None:
    other = await make_organization(gateway.resources.database)
    async with acting({organization_id: Role.ADMIN}) as mine, acting({other.id: Role.ADMIN}) as his:
        key = (await mine.post("/api-keys/", json={"name": "k"})).json()
        assert (await his.delete(f"/api-keys/{key['id']}")).status_code == 404
        assert (await his.get("/api-keys/")).json()["total"] == 0
        assert (await mine.get("/api-keys/")).json()["total"] == 1
        assert (await mine.delete(f"/api-keys/{uuid4()}")).status_code == 404
        for name in ("", "a\0", "x" * 201, None):
            assert (await mine.post("/api-keys/", json={"name": name})).status_code == 422
        # Acting elsewhere with a key.
        async with gateway.client(key["key"], COMPUTE_BASE) as program:
            elsewhere = {"X-Organization-Id": str(other.id)}
            assert (await program.get("/tasks/", headers=elsewhere)).status_code == 404
