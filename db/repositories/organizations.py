"""Organizations: looked up before a scope exists."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from db.ids import uuid7
from db.models import Organization
from db.session import WriteSession

DEFAULT_SLUG = "default"


class OrganizationRepository:
    """All organizations."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def ensure_default(self) -> Organization:
        """The organization of the bootstrap API key, made at the first call."""
        await self._session.execute(
            insert(Organization)
            .values(id=uuid7(), name="Default", slug=DEFAULT_SLUG)
            .on_conflict_do_nothing(index_elements=["slug"])
        )
        found = await self._session.scalars(
            select(Organization).where(Organization.slug == DEFAULT_SLUG)
        )
        return found.one()

    async def get(self, organization_id: UUID) -> Organization | None:
        """The organization with this id."""
        return await self._session.get(Organization, organization_id)

    async def create(self, *, name: str, slug: str) -> Organization:
        """A new organization.

        Raises:
            sqlalchemy.exc.IntegrityError: the slug is taken.
        """
        organization = Organization(name=name, slug=slug)
        self._session.add(organization)
        await self._session.flush()
        await self._session.refresh(organization)
        return organization
