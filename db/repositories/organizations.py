"""Organizations: looked up before a scope exists."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from db.ids import uuid7
from db.models import Membership, Organization
from db.repositories.scope import Page, fetch_page
from db.session import ReadSession, WriteSession

DEFAULT_SLUG = "default"


class OrganizationRepository:
    """All organizations."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    async def list(
        self, *, page: int, size: int, member: UUID | None, search: str = ""
    ) -> Page[Organization]:
        """By name; those that a user belongs to, or all. ``search``: part of the name."""
        query = select(Organization)
        if member is not None:
            query = query.where(
                exists().where(
                    Membership.organization_id == Organization.id, Membership.user_id == member
                )
            )
        if search:
            query = query.where(Organization.name.icontains(search, autoescape=True))
        order = Organization.name
        return await fetch_page(self._session, query, page=page, size=size, order_by=order)

    async def get(self, organization_id: UUID) -> Organization | None:
        """The organization with this id."""
        return await self._session.get(Organization, organization_id)


class OrganizationWriter(OrganizationRepository):
    """Organizations, and changes of them."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)

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

    async def delete(self, organization_id: UUID) -> bool:
        """Remove an organization with all its rows; whether there was one."""
        gone = await self._session.execute(
            delete(Organization)
            .where(Organization.id == organization_id)
            .returning(Organization.id)
        )
        return gone.first() is not None
