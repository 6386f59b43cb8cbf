"""Organizations."""

from __future__ import annotations

from uuid import uuid4

from db.models import Organization
from db.repositories import OrganizationScope, OrganizationWriter
from db.session import Database


async def make_organization(
    database: Database, *, slug: str | None = None, weight: float = 1.0
) -> Organization:
    slug = slug or f"org-{uuid4().hex[:12]}"
    async with database.write() as session:
        organization = await OrganizationWriter(session).create(name=slug.title(), slug=slug)
        organization.weight = weight
    return organization


async def make_scope(database: Database, *, weight: float = 1.0) -> OrganizationScope:
    organization = await make_organization(database, weight=weight)
    return OrganizationScope(organization.id)
