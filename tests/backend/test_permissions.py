"""Every operation of both APIs × every kind of caller, against the one table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from configs.settings import Settings
from db.models import Role
from serve_app.backend.app import create_backend_api
from serve_app.compute.app import create_compute_api
from serve_app.core.permissions import PERMISSIONS, RANKS, Least
from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE
from tests.factories.organizations import make_organization
from tests.factories.users import make_token, make_user
from tests.fixtures.api import Gateway

APIS = {BACKEND_BASE: create_backend_api, COMPUTE_BASE: create_compute_api}

HERE = "{organization_id}"


def operations() -> Iterator[tuple[str, str, str]]:
    """Operation id, method and a path in which nothing exists."""
    for base, create in APIS.items():
        for path, methods in create(Settings(environment="test")).openapi()["paths"].items():
            url = re.sub(r"\{(?!organization_id\})\w+\}", lambda _: str(uuid4()), base + path)
            for method, operation in methods.items():
                yield operation["operationId"], method.upper(), url


OPERATIONS = {identity: (method, url) for identity, method, url in operations()}


def test_the_table_names_every_operation_and_no_other() -> None:
    assert set(OPERATIONS) == set(PERMISSIONS)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@pytest.mark.parametrize("role", [*Role, None], ids=str)
async def test_members(gateway: Gateway, operation: str, role: Role | None) -> None:
    """A member of each role, and a superuser (None)."""
    organization = await make_organization(gateway.resources.database)
    memberships = {organization.id: role} if role else {}
    user = await make_user(
        gateway.resources.database, memberships=memberships, superuser=role is None
    )
    token = await make_token(gateway.resources, user)
    method, url = OPERATIONS[operation]
    async with gateway.client(token) as client:
        response = await client.request(method, url.replace(HERE, str(organization.id)))
    rank = RANKS[role] if role else Least.SUPERUSER
    if rank < PERMISSIONS[operation]:
        expected = {"detail": "Not enough permissions"}
        assert (response.status_code, response.json()) == (403, expected)
    else:
        assert response.status_code not in {401, 403, 500}, response.text


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
async def test_members_of_another_organization(gateway: Gateway, operation: str) -> None:
    database = gateway.resources.database
    mine, theirs = [await make_organization(database) for _ in range(2)]
    user = await make_user(database, memberships={mine.id: Role.OWNER})
    token = await make_token(gateway.resources, user)
    method, url = OPERATIONS[operation]
    async with gateway.client(token) as client:
        response = await client.request(
            method,
            url.replace(HERE, str(theirs.id)),
            headers={"X-Organization-Id": str(theirs.id)},
        )
    if PERMISSIONS[operation] is Least.SUPERUSER:
        assert response.status_code in {403, 404}
    elif PERMISSIONS[operation] >= Least.VIEWER:
        expected = {"detail": "Organization not found"}
        assert (response.status_code, response.json()) == (404, expected)
    else:
        assert response.status_code not in {403, 500}


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
async def test_nobody_and_programs(gateway: Gateway, operation: str) -> None:
    method, url = OPERATIONS[operation]
    async with gateway.client(None) as anonymous:
        response = await anonymous.request(method, url)
    is_public = PERMISSIONS[operation] is Least.PUBLIC
    assert (response.json() == {"detail": "Not authenticated"}) is not is_public
    async with gateway.client() as program:
        here = str(gateway.resources.default_organization)
        response = await program.request(method, url.replace(HERE, here))
    if PERMISSIONS[operation] > Least.EDITOR:
        assert response.status_code in {401, 403}
    elif PERMISSIONS[operation] is Least.ACCOUNT:
        # A key is nobody's account.
        assert response.status_code == 401
    else:
        assert response.status_code not in {401, 403, 500}
