"""Who belongs to an organization, and who is invited."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload

from db.ids import uuid7
from db.models import Invitation, Membership, Organization, Role, User
from db.repositories.scope import OrganizationScope, Page, fetch_page
from db.session import ReadSession, WriteSession


class MemberRepository:
    """The members of one organization, each with the user loaded."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._organization_id = scope.organization_id

    async def list(self, *, page: int, size: int) -> Page[Membership]:
        """In the order in which they joined."""
        query = (
            select(Membership)
            .where(Membership.organization_id == self._organization_id)
            .options(joinedload(Membership.user))
        )
        order = Membership.created_at
        return await fetch_page(self._session, query, page=page, size=size, order_by=order)

    async def get(self, user_id: UUID) -> Membership | None:
        """The membership of a user."""
        membership: Membership | None = await self._session.scalar(
            select(Membership)
            .where(
                Membership.organization_id == self._organization_id,
                Membership.user_id == user_id,
            )
            .options(joinedload(Membership.user))
        )
        return membership


class MemberWriter(MemberRepository):
    """Members, and changes of them."""

    def __init__(self, session: WriteSession, scope: OrganizationScope) -> None:
        super().__init__(session, scope)

    async def lock(self) -> None:
        """Make other changes of this organization's members wait: it must not lose its last
        owner to two of them at once."""
        await self._session.execute(
            select(Organization.id)
            .where(Organization.id == self._organization_id)
            .with_for_update(key_share=True)
        )

    async def owners(self) -> int:
        """How many owners there are."""
        count: int | None = await self._session.scalar(
            select(func.count()).where(
                Membership.organization_id == self._organization_id,
                Membership.role == Role.OWNER,
            )
        )
        return count or 0

    async def set_role(self, user_id: UUID, role: Role) -> None:
        """Change the role of a member."""
        await self._session.execute(
            update(Membership)
            .where(
                Membership.organization_id == self._organization_id,
                Membership.user_id == user_id,
            )
            .values(role=role)
        )

    async def remove(self, user_id: UUID) -> None:
        """End a membership; the account stays."""
        await self._session.execute(
            delete(Membership).where(
                Membership.organization_id == self._organization_id,
                Membership.user_id == user_id,
            )
        )


class InvitationRepository:
    """The invitations of one organization."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._organization_id = scope.organization_id

    async def list(self, *, page: int, size: int) -> Page[Invitation]:
        """The newest first, those that have expired included."""
        query = select(Invitation).where(Invitation.organization_id == self._organization_id)
        order = Invitation.id.desc()
        return await fetch_page(self._session, query, page=page, size=size, order_by=order)

    async def invite(self, email: str, role: Role, token_hash: str, lasts: timedelta) -> Invitation:
        """Hold a place for an address; an earlier invitation is replaced."""
        values = {"role": role, "token_hash": token_hash, "expires_at": func.now() + lasts}
        invitation: Invitation | None = await self._session.scalar(
            insert(Invitation)
            .values(
                id=uuid7(), organization_id=self._organization_id, email=email.lower(), **values
            )
            .on_conflict_do_update(index_elements=["organization_id", "email"], set_=values)
            .returning(Invitation)
        )
        assert invitation is not None
        return invitation

    async def withdraw(self, invitation_id: UUID) -> bool:
        """End an invitation; whether there was one."""
        gone = await self._session.execute(
            delete(Invitation)
            .where(
                Invitation.id == invitation_id,
                Invitation.organization_id == self._organization_id,
            )
            .returning(Invitation.id)
        )
        return gone.first() is not None

    async def is_member(self, email: str) -> bool:
        """Whether the address belongs to a member."""
        found = await self._session.scalar(
            select(Membership.user_id)
            .join(User, User.id == Membership.user_id)
            .where(Membership.organization_id == self._organization_id, User.email == email.lower())
        )
        return found is not None


async def redeem(session: WriteSession, token_hash: str) -> Invitation | None:
    """Take an invitation that is still good out of the table; of several callers, one gets it."""
    invitation: Invitation | None = await session.scalar(
        delete(Invitation)
        .where(Invitation.token_hash == token_hash, Invitation.expires_at > func.now())
        .returning(Invitation)
    )
    return invitation
