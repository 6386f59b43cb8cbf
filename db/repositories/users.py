"""Accounts of all organizations: who logs in is not known to belong to any yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import selectinload

from db.ids import uuid7
from db.models import LoginSession, Membership, Role, User
from db.repositories.scope import Page, fetch_page
from db.session import ReadSession, WriteSession

_USERS: Select[User] = select(User).options(selectinload(User.memberships))
_IS_LOGGED_IN = (
    User.id == bindparam("user_id"),
    User.is_active,
    LoginSession.user_id == User.id,
    LoginSession.id == bindparam("login_session_id"),
    LoginSession.revoked_at.is_(None),
)
_LOGGED_IN: Select[User] = (
    select(User).where(*_IS_LOGGED_IN).options(selectinload(User.memberships))
)
# Every request of a person asks this: built once, one statement, and columns only.
_STANDING = (
    select(User.is_superuser, Membership.organization_id, Membership.role)
    .join_from(User, LoginSession, LoginSession.user_id == User.id)
    .outerjoin(Membership, Membership.user_id == User.id)
    .where(*_IS_LOGGED_IN)
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account may do: everything, or what its role in each organization allows."""

    user_id: UUID
    is_superuser: bool
    roles: Mapping[UUID, Role]


class UserRepository:
    """Users by id or address, each with the memberships loaded."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    async def get(self, user_id: UUID) -> User | None:
        """The user with this id."""
        user: User | None = await self._session.scalar(_USERS.where(User.id == user_id))
        return user

    async def find(self, email: str) -> User | None:
        """The user with this address, in any case of letters."""
        user: User | None = await self._session.scalar(_USERS.where(User.email == email.lower()))
        return user

    async def logged_in(self, user_id: UUID, login_session_id: UUID) -> User | None:
        """The user of an access token, unless the account is closed or the login has ended."""
        values = {"user_id": user_id, "login_session_id": login_session_id}
        user: User | None = await self._session.scalar(_LOGGED_IN, values)
        return user

    async def standing(self, user_id: UUID, login_session_id: UUID) -> Standing | None:
        """What the user of an access token may do; None as for :meth:`logged_in`."""
        values = {"user_id": user_id, "login_session_id": login_session_id}
        rows = (await self._session.execute(_STANDING, values)).all()
        if not rows:
            return None
        roles = {row.organization_id: row.role for row in rows if row.organization_id is not None}
        return Standing(user_id, rows[0].is_superuser, roles)

    async def list(
        self, *, page: int, size: int, organization_id: UUID | None = None, search: str = ""
    ) -> Page[User]:
        """By address; of one organization when it is named. ``search``: part of address or name."""
        query = _USERS
        if organization_id is not None:
            query = query.where(
                exists().where(
                    Membership.user_id == User.id, Membership.organization_id == organization_id
                )
            )
        if search:
            query = query.where(
                User.email.icontains(search, autoescape=True)
                | User.full_name.icontains(search, autoescape=True)
            )
        return await fetch_page(self._session, query, page=page, size=size, order_by=User.email)


class UserWriter(UserRepository):
    """Users, and changes of them."""

    _session: WriteSession

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)

    async def create(
        self, *, email: str, password_hash: str, full_name: str | None, is_superuser: bool = False
    ) -> User | None:
        """A new user without memberships; None: the address is taken."""
        created: UUID | None = await self._session.scalar(
            insert(User)
            .values(
                id=uuid7(),
                email=email.lower(),
                password_hash=password_hash,
                full_name=full_name,
                is_superuser=is_superuser,
            )
            .on_conflict_do_nothing(index_elements=["email"])
            .returning(User.id)
        )
        return None if created is None else await self.get(created)

    async def lock(self, user_id: UUID) -> User | None:
        """The user with this id; whoever else locks it waits for the end of the transaction."""
        query = _USERS.where(User.id == user_id).with_for_update(of=User)
        user: User | None = await self._session.scalar(query)
        return user

    async def join(self, user_id: UUID, organization_id: UUID, role: Role) -> None:
        """Make a user a member, or change the role of one."""
        await self._session.execute(
            insert(Membership)
            .values(organization_id=organization_id, user_id=user_id, role=role)
            .on_conflict_do_update(
                index_elements=["organization_id", "user_id"], set_={"role": role}
            )
        )

    async def update(self, user_id: UUID, values: Mapping[str, Any]) -> User | None:
        """Change columns of a user; None: there is none with this id."""
        changed = await self._session.execute(
            update(User).where(User.id == user_id).values(**values).returning(User.id)
        )
        if changed.first() is None:
            return None
        self.forget()
        return await self.get(user_id)

    def forget(self) -> None:
        """Read everything anew from here on: memberships are written past the loaded objects."""
        self._session.expire_all()

    async def delete(self, user_id: UUID) -> bool:
        """Remove a user with memberships and logins; whether there was one."""
        gone = await self._session.execute(
            delete(User).where(User.id == user_id).returning(User.id)
        )
        return gone.first() is not None
