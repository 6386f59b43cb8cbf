"""Organizations with keys of their own, on the platform that is measured."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx

from benchmarks.context import Context
from db.repositories.api_keys import ApiKeyWriter
from db.repositories.limits import LimitWriter
from db.repositories.organizations import OrganizationWriter
from db.session import Database
from serve_app.client import COMPUTE_BASE
from serve_app.core.auth import hash_api_key


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization and its key."""

    organization_id: UUID
    api_key: str

    def connect(self, base_url: str) -> httpx.Client:
        """A client of the Compute API with one connection, kept alive."""
        return httpx.Client(
            base_url=f"{base_url}{COMPUTE_BASE}",
            headers={"Authorization": f"Bearer {self.api_key}"},
            trust_env=False,
            timeout=120,
        )


def make_tenants(context: Context, count: int, *, tier: str) -> Sequence[Tenant]:
    """New organizations with the limits of a tier."""
    return asyncio.run(_make(context, count, tier))


async def _make(context: Context, count: int, tier: str) -> list[Tenant]:
    database = Database.open(context.database_url, context.settings.database)
    made = []
    try:
        async with database.write() as session:
            for _ in range(count):
                name = uuid4().hex
                organization = await OrganizationWriter(session).create(
                    name=f"Bench {name[:8]}", slug=f"bench-{name}"
                )
                await LimitWriter(session).put_on(organization.id, tier)
                key = f"sk_bench_{name}"
                await ApiKeyWriter(session).add(
                    organization.id, name="bench", prefix="sk_bench", key_hash=hash_api_key(key)
                )
                made.append(Tenant(organization.id, key))
    finally:
        await database.close()
    return made
