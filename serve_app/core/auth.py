"""Who is asking: from a Bearer token to a principal.

An endpoint states what it needs by its signature: one without a principal is visibly public.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from db.repositories.api_keys import ApiKeyRepository
from serve_app.core.dependencies import RequestResources
from serve_app.core.errors import Unauthorized
from serve_app.core.resources import Resources

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="The platform's `API_KEY`, or a key of your organization.",
)


@dataclass(frozen=True, slots=True)
class Principal:
    """The organization that a request acts for."""

    organization_id: UUID


def hash_api_key(key: str) -> str:
    """SHA-256, hexadecimal. Keys are 256 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode()).hexdigest()


async def authenticate(resources: Resources, token: str | None) -> Principal:
    """The principal of a Bearer token.

    Raises:
        Unauthorized: the token is missing, unknown or revoked.
    """
    if not token:
        raise Unauthorized
    bootstrap = resources.settings.api_key.get_secret_value()
    if secrets.compare_digest(token.encode(), bootstrap.encode()):
        return Principal(resources.default_organization)
    async with resources.database.write() as session:
        key = await ApiKeyRepository(session).authenticate(hash_api_key(token))
    if key is None:
        raise Unauthorized(Unauthorized.invalid_credentials)
    return Principal(key.organization_id)


async def _principal(
    resources: RequestResources,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    return await authenticate(resources, credentials.credentials if credentials else None)


async def _optional_principal(request: Request, resources: RequestResources) -> Principal | None:
    credentials = await _bearer(request)
    return await authenticate(resources, credentials.credentials) if credentials else None


Caller = Annotated[Principal, Depends(_principal)]
OptionalCaller = Annotated[Principal | None, Depends(_optional_principal)]
