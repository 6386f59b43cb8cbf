"""Accounts: made, changed, closed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError

from db.models import User
from db.repositories.logins import LoginRepository
from db.repositories.organizations import OrganizationRepository
from db.repositories.users import UserWriter
from db.session import WriteSession
from serve_app.backend.users.schemas import UserCreate, UserUpdate
from serve_app.core.errors import BadRequest, Conflict, NotFound
from serve_app.core.passwords import hash_password, verify_password


class EmailTaken(Conflict):
    """Another account has this address."""

    code = "email_taken"
    default_detail = "The user with this email already exists"


class WrongPassword(BadRequest):
    """The present password was not the one that was given."""

    code = "wrong_password"
    default_detail = "Incorrect password"


class LastSuperuser(Conflict):
    """Nobody could administer the installation any more."""

    code = "own_account"
    default_detail = "You cannot close or delete your own account; ask another superuser"


async def create(session: WriteSession, body: UserCreate, organization_id: UUID) -> User:
    """A new member of an organization.

    Raises:
        NotFound: there is no such organization.
        EmailTaken: the address has an account.
    """
    if await OrganizationRepository(session).get(organization_id) is None:
        raise NotFound("Organization not found")
    users = UserWriter(session)
    user = await users.create(
        email=body.email,
        password_hash=await hash_password(body.password.get_secret_value()),
        full_name=body.full_name,
    )
    if user is None:
        raise EmailTaken
    await users.join(user.id, organization_id, body.role)
    return await _reread(users, user.id)


async def update(
    session: WriteSession, user_id: UUID, body: UserUpdate, organization_id: UUID, by: UUID | None
) -> User:
    """Change an account; a new password, or closing it, ends its logins.

    Raises:
        NotFound, EmailTaken, LastSuperuser: as they say.
    """
    changes = body.model_dump(exclude_none=True)
    role = changes.pop("role", None)
    if changes.get("is_active") is False and user_id == by:
        raise LastSuperuser
    password: SecretStr | None = changes.pop("password", None)
    if password is not None:
        changes["password_hash"] = await hash_password(password.get_secret_value())
    users = UserWriter(session)
    await change(users, user_id, changes)
    if role is not None:
        await users.join(user_id, organization_id, role)
    if password is not None or changes.get("is_active") is False:
        await LoginRepository(session).end_all(user_id)
    return await _reread(users, user_id)


async def change(users: UserWriter, user_id: UUID, values: dict[str, Any]) -> User:
    """Change columns of an account.

    Raises:
        NotFound: there is none with this id.
        EmailTaken: another account has the address.
    """
    if "email" in values:
        values["email"] = values["email"].lower()
    try:
        user = await users.update(user_id, values) if values else await users.get(user_id)
    except IntegrityError as error:
        raise EmailTaken from error
    if user is None:
        raise NotFound("User not found")
    return user


async def change_password(
    session: WriteSession, user: User, current: SecretStr, new: SecretStr, keep: UUID
) -> None:
    """Set a new password and end the account's other logins.

    Raises:
        WrongPassword: ``current`` is not the present one.
    """
    right, _ = await verify_password(current.get_secret_value(), user.password_hash)
    if not right:
        raise WrongPassword
    values = {"password_hash": await hash_password(new.get_secret_value())}
    await UserWriter(session).update(user.id, values)
    await LoginRepository(session).end_all(user.id, but=keep)


async def delete(session: WriteSession, user_id: UUID, by: UUID | None) -> None:
    """Remove an account.

    Raises:
        NotFound: there is none with this id.
        LastSuperuser: it is the caller's own.
    """
    if user_id == by:
        raise LastSuperuser
    if not await UserWriter(session).delete(user_id):
        raise NotFound("User not found")


async def _reread(users: UserWriter, user_id: UUID) -> User:
    """With the memberships as they are now."""
    users.forget()
    user = await users.get(user_id)
    assert user is not None
    return user
