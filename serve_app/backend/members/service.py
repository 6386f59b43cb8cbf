"""Members: their roles, and how they leave."""

from __future__ import annotations

from uuid import UUID

from db.models import Membership, Role
from db.repositories.members import MemberWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.core.auth import Principal
from serve_app.core.errors import Conflict, Forbidden, NotFound


class LastOwner(Conflict):
    """Nobody could run the organization any more."""

    code = "last_owner"
    default_detail = "An organization needs an owner: make somebody else one first"


async def set_role(
    session: WriteSession, caller: Principal, user_id: UUID, role: Role
) -> Membership:
    """Change a member's role. Only owners make owners, and end their being so.

    Raises:
        NotFound: the user is no member.
        Forbidden: an owner is concerned, and the caller is none.
        LastOwner: as it says.
    """
    members = MemberWriter(session, OrganizationScope(caller.organization_id))
    await members.lock()
    member = await _concerned(members, caller, user_id)
    if role is Role.OWNER and not caller.is_owner:
        raise Forbidden
    if member.role is Role.OWNER and role is not Role.OWNER and await members.owners() == 1:
        raise LastOwner
    await members.set_role(user_id, role)
    await session.refresh(member, ["role"])
    return member


async def remove(session: WriteSession, caller: Principal, user_id: UUID) -> None:
    """End a membership.

    Raises:
        NotFound, Forbidden, LastOwner: as in `set_role`.
    """
    members = MemberWriter(session, OrganizationScope(caller.organization_id))
    await members.lock()
    member = await _concerned(members, caller, user_id)
    if member.role is Role.OWNER and await members.owners() == 1:
        raise LastOwner
    await members.remove(user_id)


async def _concerned(members: MemberWriter, caller: Principal, user_id: UUID) -> Membership:
    member = await members.get(user_id)
    if member is None:
        raise NotFound("Member not found")
    if member.role is Role.OWNER and not caller.is_owner:
        raise Forbidden
    return member
