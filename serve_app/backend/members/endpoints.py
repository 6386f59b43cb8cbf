"""``/organizations/{organization_id}/members``: who belongs to an organization."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response, status

from db.repositories.members import MemberRepository
from db.repositories.scope import OrganizationScope
from serve_app.backend.members import service
from serve_app.backend.members.schemas import MemberList, MemberRead, MemberUpdate
from serve_app.backend.organizations.endpoints import OrganizationId
from serve_app.core.auth import Caller
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router

router = Router(prefix="/organizations/{organization_id}/members", tags=["organizations"])

UserId = Annotated[UUID, Path(description="Id of a user.")]


@router.get("/", operation_id="list_members", responses=errors(401, 403, 404))
async def list_members(
    organization_id: OrganizationId,
    caller: Caller,
    session: Reading,
    page: PageNumber = 1,
    size: PageSize = 20,
) -> MemberList:
    """The members, in the order in which they joined."""
    scope = OrganizationScope(caller.organization_id)
    found = await MemberRepository(session, scope).list(page=page, size=size)
    items = [MemberRead.of(one) for one in found.items]
    return MemberList(items=items, total=found.total, page=found.page, size=found.size)


@router.patch("/{user_id}", operation_id="update_member", responses=errors(401, 403, 404, 409))
async def update(
    organization_id: OrganizationId,
    user_id: UserId,
    body: MemberUpdate,
    caller: Caller,
    session: Writing,
) -> MemberRead:
    """Change a member's role. For admins; an owner's only by owners."""
    return MemberRead.of(await service.set_role(session, caller, user_id, body.role))


@router.delete(
    "/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="remove_member",
    responses=errors(401, 403, 404, 409),
)
async def remove(
    organization_id: OrganizationId, user_id: UserId, caller: Caller, session: Writing
) -> Response:
    """End a membership; the account stays."""
    await service.remove(session, caller, user_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
