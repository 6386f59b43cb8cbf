"""``/organizations``: tenants."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.repositories.organizations import OrganizationRepository
from serve_app.backend.organizations import service
from serve_app.backend.organizations.schemas import (
    OrganizationCreate,
    OrganizationList,
    OrganizationRead,
    OrganizationUpdate,
)
from serve_app.core.auth import Caller, LoggedIn
from serve_app.core.dependencies import Reading, RequestResources, Writing
from serve_app.core.errors import NotFound
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router
from serve_app.core.text import Storable

router = Router(prefix="/organizations", tags=["organizations"])

# Every request on one organization acts in it: see `serve_app.core.auth`.
OrganizationId = Annotated[UUID, Path(description="Id of an organization.")]


@router.get("/", operation_id="list_organizations", responses=errors(401))
async def list_organizations(
    login: LoggedIn,
    session: Reading,
    page: PageNumber = 1,
    size: PageSize = 20,
    q: Annotated[str, Query(max_length=200, description="Part of the name."), Storable] = "",
) -> OrganizationList:
    """The organizations that you belong to; superusers see all."""
    member = None if login.user.is_superuser else login.user.id
    found = await OrganizationRepository(session).list(
        page=page, size=size, member=member, search=q
    )
    items = [OrganizationRead.model_validate(one) for one in found.items]
    return OrganizationList(items=items, total=found.total, page=found.page, size=found.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_organization",
    responses=errors(401, 403, 409),
)
async def create(body: OrganizationCreate, login: LoggedIn, session: Writing) -> OrganizationRead:
    """Make an organization. For superusers."""
    return OrganizationRead.model_validate(await service.create(session, body))


@router.get("/{organization_id}", operation_id="get_organization", responses=errors(401, 403, 404))
async def get(
    organization_id: OrganizationId, caller: Caller, session: Reading
) -> OrganizationRead:
    """One of your organizations."""
    organization = await OrganizationRepository(session).get(caller.organization_id)
    if organization is None:
        raise NotFound("Organization not found")
    return OrganizationRead.model_validate(organization)


@router.patch(
    "/{organization_id}", operation_id="update_organization", responses=errors(401, 403, 404)
)
async def update(
    organization_id: OrganizationId,
    body: OrganizationUpdate,
    caller: Caller,
    session: Writing,
    resources: RequestResources,
) -> OrganizationRead:
    """Change an organization: its name, and which model stands in for others. For its admins."""
    changed = await service.update(session, resources, caller.organization_id, body)
    return OrganizationRead.model_validate(changed)


@router.delete(
    "/{organization_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_organization",
    responses=errors(401, 403, 404, 409),
)
async def delete(
    organization_id: OrganizationId, login: LoggedIn, resources: RequestResources
) -> Response:
    """Remove an organization with its rows, keys and pictures. For superusers."""
    await service.delete(resources, organization_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
