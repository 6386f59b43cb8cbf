"""Accounts, and their access tokens without a login over HTTP."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from db.models import Role, User
from db.repositories import LoginRepository, UserWriter
from db.session import Database
from serve_app.core.resources import Resources
from serve_app.core.tokens import TokenKind

PASSWORD = "correct horse battery"
# The least that argon2 takes: tests hash often, and guess nothing.
_HASHER = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


async def make_user(
    database: Database,
    *,
    email: str | None = None,
    memberships: dict[UUID, Role] | None = None,
    superuser: bool = False,
) -> User:
    async with database.write() as session:
        users = UserWriter(session)
        user = await users.create(
            email=email or f"{uuid4().hex[:12]}@example.com",
            password_hash=_HASHER.hash(PASSWORD),
            full_name="Ada Lovelace",
            is_superuser=superuser,
        )
        assert user is not None
        for organization_id, role in (memberships or {}).items():
            await users.join(user.id, organization_id, role)
    return user


async def make_token(resources: Resources, user: User) -> str:
    """An access token of a new login."""
    async with resources.database.write() as session:
        login = await LoginRepository(session).begin(user.id, timedelta(days=1))
    return resources.tokens.issue(
        TokenKind.ACCESS, user.id, timedelta(hours=1), session_id=login.id
    )
