"""Organizations: made, renamed, removed with all they have."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError

from db.errors import was_given_up
from db.models import Organization
from db.repositories.organizations import OrganizationWriter
from db.session import WriteSession
from serve_app.backend.organizations.schemas import OrganizationCreate, OrganizationUpdate
from serve_app.core import orders
from serve_app.core.errors import Conflict, NotFound, UnprocessableField
from serve_app.core.resources import Resources

# Of a deletion that meets what the organization's tasks write.
_TRIES: Final = 5
# Folders of the store that are divided by organization.
_FOLDERS = ("images", "outputs", "media", "temp", "exports", "loras", "datasets", "trainings")


class SlugTaken(Conflict):
    """Another organization has this slug."""

    code = "slug_taken"
    default_detail = "Another organization has this slug"


class DefaultOrganization(Conflict):
    """The organization of the bootstrap API key cannot go."""

    code = "default_organization"
    default_detail = "The organization of the platform's own API key cannot be deleted"


async def create(session: WriteSession, body: OrganizationCreate) -> Organization:
    """A new organization without members.

    Raises:
        SlugTaken: as it says.
    """
    try:
        return await OrganizationWriter(session).create(name=body.name, slug=body.slug)
    except IntegrityError as error:
        raise SlugTaken from error


async def update(
    session: WriteSession, resources: Resources, organization_id: UUID, body: OrganizationUpdate
) -> Organization:
    """Change an organization.

    Raises:
        NotFound: there is none with this id.
        UnprocessableField: there is no such model to fall back to.
    """
    organization = await OrganizationWriter(session).get(organization_id)
    if organization is None:
        raise NotFound("Organization not found")
    if body.name is not None:
        organization.name = body.name
    if body.fallback_model is not None:
        orders.choose_model(resources, body.fallback_model, _refuse_fallback)
    for name in {"fallback_model", "fallback_after_seconds"} & body.model_fields_set:
        setattr(organization, name, getattr(body, name))
    return organization


def _refuse_fallback(field: str, reason: str) -> UnprocessableField:
    del field
    return UnprocessableField(f"fallback_model: {reason}", ("body", "fallback_model"))


async def delete(resources: Resources, organization_id: UUID) -> None:
    """Remove an organization: its rows, keys and memberships, and then its objects.

    Raises:
        NotFound: there is none with this id.
        DefaultOrganization: the platform's own API key acts in it.
    """
    if organization_id == resources.default_organization:
        raise DefaultOrganization
    await _delete_rows(resources, organization_id)
    # After the commit: rows without objects would be broken, objects without rows are only waste.
    for folder in _FOLDERS:
        await resources.store.delete_prefix(f"{folder}/{organization_id.hex}")


async def _delete_rows(resources: Resources, organization_id: UUID) -> None:
    # What its running tasks write locks the same rows in another order. Postgres gives up one of
    # the two transactions then; if it is this one, the other is done by the next try.
    for tries_left in reversed(range(_TRIES)):
        try:
            async with resources.database.write() as session:
                if not await OrganizationWriter(session).delete(organization_id):
                    raise NotFound("Organization not found")
        except DBAPIError as error:
            if not tries_left or not was_given_up(error):
                raise
        else:
            return
