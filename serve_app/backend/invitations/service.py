"""Invitations: a mail with a token, and what becomes of it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from db.models import Invitation, Role, User
from db.repositories.members import InvitationRepository, redeem
from db.repositories.organizations import OrganizationRepository
from db.repositories.scope import OrganizationScope
from db.repositories.users import UserWriter
from db.session import WriteSession
from serve_app.backend.invitations.schemas import InvitationAcceptance, InvitationCreate
from serve_app.core.auth import Principal
from serve_app.core.errors import BadRequest, Conflict, Forbidden, UnprocessableField
from serve_app.core.mail import Mailer
from serve_app.core.passwords import hash_password

_LASTS = timedelta(days=7)


class AlreadyMember(Conflict):
    """The address belongs to a member."""

    code = "already_member"
    default_detail = "This address belongs to a member already"


class InvalidInvitation(BadRequest):
    """The invitation was used or withdrawn, is too old, or never was."""

    code = "invalid_invitation"
    default_detail = "This invitation is not good any more; ask for a new one"


async def invite(
    session: WriteSession, caller: Principal, body: InvitationCreate
) -> tuple[Invitation, str]:
    """Hold a place; the invitation and its token, which is kept only as a hash.

    Raises:
        Forbidden: only owners invite owners.
        AlreadyMember: as it says.
    """
    if body.role is Role.OWNER and not caller.is_owner:
        raise Forbidden
    invitations = InvitationRepository(session, OrganizationScope(caller.organization_id))
    if await invitations.is_member(body.email):
        raise AlreadyMember
    token = secrets.token_urlsafe(32)
    return await invitations.invite(body.email, body.role, _hash(token), _LASTS), token


async def mail(
    mailer: Mailer, organization: str, invitation: Invitation, token: str, base_url: str
) -> None:
    """Tell the invited person."""
    await mailer.send(
        invitation.email,
        f"{organization} invites you to Sartiq",
        f"You are invited to work with {organization} on Sartiq, as {invitation.role.value}.\n\n"
        f"Open this link within {_LASTS.days} days:\n"
        f"{base_url}/invitation?token={token}\n",
    )


async def name_of(session: WriteSession, caller: Principal) -> str:
    """The name of the organization that the caller acts in."""
    found = await OrganizationRepository(session).get(caller.organization_id)
    assert found is not None, "the caller acts in it"
    return found.name


async def accept(session: WriteSession, body: InvitationAcceptance) -> tuple[User, UUID]:
    """Take the place: by an account of the address, or a new one. The user, and where.

    Raises:
        InvalidInvitation: as it says.
        UnprocessableField: the address has no account, and no password was given for one.
    """
    invitation = await redeem(session, _hash(body.token))
    if invitation is None:
        raise InvalidInvitation
    users = UserWriter(session)
    user = await users.find(invitation.email)
    if user is None:
        if body.password is None:
            raise UnprocessableField(
                "Choose a password: this address has no account yet", ("body", "password")
            )
        user = await users.create(
            email=invitation.email,
            password_hash=await hash_password(body.password.get_secret_value()),
            full_name=body.full_name,
        )
        if user is None:  # made in this moment by somebody else
            raise InvalidInvitation
    organization_id, user_id = invitation.organization_id, user.id
    await users.join(user_id, organization_id, invitation.role)
    users.forget()
    joined = await users.get(user_id)
    assert joined is not None
    return joined, organization_id


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
