"""``/organizations/{organization_id}/invitations``, and ``/invitations/accept``."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import BackgroundTasks, Path, Response, status

from db.repositories.members import InvitationRepository
from db.repositories.scope import OrganizationScope
from serve_app.backend.invitations import service
from serve_app.backend.invitations.schemas import (
    InvitationAcceptance,
    InvitationCreate,
    InvitationList,
    InvitationRead,
)
from serve_app.backend.organizations.endpoints import OrganizationId
from serve_app.backend.users.schemas import UserRead
from serve_app.core.auth import Caller
from serve_app.core.dependencies import BaseUrl, Reading, RequestResources, Writing
from serve_app.core.errors import NotFound
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router

router = Router(tags=["organizations"])

_BASE = "/organizations/{organization_id}/invitations"
InvitationId = Annotated[UUID, Path(description="Id of an invitation.")]


@router.get(f"{_BASE}/", operation_id="list_invitations", responses=errors(401, 403, 404))
async def list_invitations(
    organization_id: OrganizationId,
    caller: Caller,
    session: Reading,
    page: PageNumber = 1,
    size: PageSize = 20,
) -> InvitationList:
    """Invitations that nobody has taken yet, the newest first."""
    scope = OrganizationScope(caller.organization_id)
    found = await InvitationRepository(session, scope).list(page=page, size=size)
    items = [InvitationRead.model_validate(one) for one in found.items]
    return InvitationList(items=items, total=found.total, page=found.page, size=found.size)


@router.post(
    f"{_BASE}/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_invitation",
    responses=errors(401, 403, 404, 409),
)
async def create(
    organization_id: OrganizationId,
    body: InvitationCreate,
    caller: Caller,
    session: Writing,
    resources: RequestResources,
    base_url: BaseUrl,
    later: BackgroundTasks,
) -> InvitationRead:
    """Invite somebody by mail. Inviting an address again replaces what was sent before."""
    invitation, token = await service.invite(session, caller, body)
    name = await service.name_of(session, caller)
    # After the response, and so after the commit.
    later.add_task(service.mail, resources.mailer, name, invitation, token, base_url)
    return InvitationRead.model_validate(invitation)


@router.delete(
    f"{_BASE}/{{invitation_id}}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="withdraw_invitation",
    responses=errors(401, 403, 404),
)
async def withdraw(
    organization_id: OrganizationId, invitation_id: InvitationId, caller: Caller, session: Writing
) -> Response:
    """Take an invitation back."""
    scope = OrganizationScope(caller.organization_id)
    if not await InvitationRepository(session, scope).withdraw(invitation_id):
        raise NotFound("Invitation not found")
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/invitations/accept", operation_id="accept_invitation", responses=errors(400))
async def accept(body: InvitationAcceptance, session: Writing) -> UserRead:
    """Join by the token of the mail. An address without an account gets one."""
    return UserRead.of(*await service.accept(session, body))
