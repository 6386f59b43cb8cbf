"""Callers of the Backend API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import httpx
import pytest

from db.models import Role
from serve_app.gateway import BACKEND_BASE
from tests.factories.organizations import make_organization
from tests.factories.users import make_token, make_user
from tests.fixtures.api import Gateway

As = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def acting(gateway: Gateway) -> As:
    """A client of a new account."""

    @asynccontextmanager
    async def client(
        memberships: dict[UUID, Role] | None = None, *, superuser: bool = False
    ) -> AsyncIterator[httpx.AsyncClient]:
        user = await make_user(
            gateway.resources.database, memberships=memberships, superuser=superuser
        )
        token = await make_token(gateway.resources, user)
        async with gateway.client(token, BACKEND_BASE) as client:
            yield client

    return client


@pytest.fixture
async def organization_id(gateway: Gateway) -> UUID:
    return (await make_organization(gateway.resources.database)).id


@pytest.fixture
async def another_organization_id(gateway: Gateway) -> UUID:
    return (await make_organization(gateway.resources.database)).id
