"""Who is asking, for which organization, and whether they may.

An endpoint states what it needs by its signature: one without a caller is visibly public. What a
caller may do stands in :mod:`serve_app.core.permissions`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import WithJsonSchema

from db.models import Role, User
from db.repositories.api_keys import ApiKeyRepository, ApiKeyWriter
from db.repositories.organizations import OrganizationRepository
from db.repositories.scope import OrganizationScope
from db.repositories.users import Standing, UserRepository
from serve_app.core.dependencies import resources_of
from serve_app.core.errors import BadRequest, Forbidden, NotFound, Unauthorized
from serve_app.core.permissions import PERMISSIONS, RANKS, Least
from serve_app.core.rate_limits import limit
from serve_app.core.resources import Resources
from serve_app.core.tokens import Claims, TokenKind, looks_like_token
from telemetry import context

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="Bearer",
    description="An access token from `POST /login/access-token`; for the Compute API also the "
    "platform's `API_KEY` or a key of your organization.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class OrganizationNotNamed(BadRequest):
    """The account belongs to several organizations, and the request does not say which one."""

    code = "organization_not_named"
    default_detail = (
        "You belong to several organizations: name one with the header X-Organization-Id"
    )


@dataclass(frozen=True, slots=True)
class Login:
    """An account, and the login that its access token follows from."""

    user: User
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request acts as, and in which organization.

    Attributes:
        organization_id: whose rows it sees and makes.
        user_id: the person; None for an API key.
        role: of that person in the organization; None for an API key, and for a superuser who is
            no member.
        is_superuser: whether that person may do everything.
        is_bootstrap: whether it is the platform's own key.
    """

    organization_id: UUID
    user_id: UUID | None = None
    role: Role | None = None
    is_superuser: bool = False
    is_bootstrap: bool = False

    @property
    def is_operator(self) -> bool:
        """Whether the caller runs the platform, and so may look at all of it."""
        return self.is_superuser or self.is_bootstrap

    @property
    def is_admin(self) -> bool:
        """Whether the caller may do what only admins may."""
        return self.is_superuser or (self.role is not None and RANKS[self.role] >= Least.ADMIN)

    @property
    def is_owner(self) -> bool:
        """Whether the caller may do what only owners may."""
        return self.is_superuser or self.role is Role.OWNER


def hash_api_key(key: str) -> str:
    """SHA-256, hexadecimal. Keys are 256 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode()).hexdigest()


def least_of(request: Request) -> Least:
    """What the operation that answers this request demands."""
    return PERMISSIONS.get(request.scope["route"].operation_id, Least.SUPERUSER)


async def log_in_by(resources: Resources, token: str | None) -> Login:
    """The account of an access token.

    Raises:
        Unauthorized: the token is missing or not good, its login has ended, the account is closed.
    """
    if not token:
        raise Unauthorized
    user_id, session_id = _named_by(resources, token)
    async with resources.database.read() as session:
        user = await UserRepository(session).logged_in(user_id, session_id)
    if user is None:
        raise Unauthorized(Unauthorized.invalid_credentials)
    return Login(user, session_id)


def _named_by(
    resources: Resources, token: str, kind: TokenKind = TokenKind.ACCESS
) -> tuple[UUID, UUID]:
    """The user and the login of a token."""
    claims: Claims = resources.tokens.read(token, kind)
    if claims.session_id is None:
        raise Unauthorized(Unauthorized.invalid_credentials)
    return claims.user_id, claims.session_id


async def authenticate(
    resources: Resources,
    token: str | None,
    *,
    least: Least,
    named: UUID | None = None,
    kind: TokenKind = TokenKind.ACCESS,
) -> Principal:
    """The principal of a Bearer token.

    Args:
        resources: of the process.
        token: an access token or an API key.
        least: what the operation demands.
        named: the organization that the request wants to act in.
        kind: of the token, if it is none of an API key.

    Raises:
        Unauthorized: the token is missing, unknown, expired or revoked.
        NotFound: the caller has no part in the organization that is named.
        OrganizationNotNamed: the account belongs to several, or to none.
        Forbidden: the caller's role is not enough.
    """
    if token and looks_like_token(token):
        async with resources.database.read() as session:
            standing = await UserRepository(session).standing(*_named_by(resources, token, kind))
        if standing is None:
            raise Unauthorized(Unauthorized.invalid_credentials)
        principal = _as_member(standing, least, named, resources.default_organization)
        # Of a role the organization is known to be there; a superuser may name any.
        if principal.role is None and principal.organization_id != resources.default_organization:
            await _see_that_it_exists(resources, principal.organization_id)
        return principal
    principal = await _by_api_key(resources, token)
    if named not in {None, principal.organization_id}:
        raise NotFound("Organization not found")
    # A key is a program's: it works, and administers nothing.
    if least > Least.EDITOR:
        raise Forbidden
    return principal


async def _see_that_it_exists(resources: Resources, organization_id: UUID) -> None:
    async with resources.database.read() as session:
        if await OrganizationRepository(session).get(organization_id) is None:
            raise NotFound("Organization not found")


async def _by_api_key(resources: Resources, key: str | None) -> Principal:
    if not key:
        raise Unauthorized
    bootstrap = resources.settings.api_key.get_secret_value()
    if secrets.compare_digest(key.encode(), bootstrap.encode()):
        return Principal(resources.default_organization, is_bootstrap=True)
    async with resources.database.read() as session:
        found = await ApiKeyRepository(session).in_force(hash_api_key(key))
    if found is None:
        raise Unauthorized(Unauthorized.invalid_credentials)
    if found.is_use_to_be_noted:
        async with resources.database.statement() as session:
            await ApiKeyWriter(session).touch(found.id)
    return Principal(found.organization_id)


def _as_member(standing: Standing, least: Least, named: UUID | None, fallback: UUID) -> Principal:
    roles = standing.roles
    if named is None:
        named = _only(roles, fallback if standing.is_superuser else None)
    if standing.is_superuser:
        return Principal(named, standing.user_id, roles.get(named), is_superuser=True)
    if named not in roles:
        raise NotFound("Organization not found")
    if RANKS[roles[named]] < least:
        raise Forbidden
    return Principal(named, standing.user_id, roles[named])


def _only(roles: Mapping[UUID, Role], fallback: UUID | None) -> UUID:
    if len(roles) == 1:
        return next(iter(roles))
    if fallback is not None:
        return fallback
    if not roles:
        raise Forbidden("You belong to no organization yet")
    raise OrganizationNotNamed


# A header is text: with the format "uuid" generated clients would send an object.
_HeaderUuid = Annotated[UUID, WithJsonSchema({"type": "string", "pattern": "^[0-9a-fA-F-]{36}$"})]


async def _named_organization(
    request: Request,
    header: Annotated[
        _HeaderUuid | None,
        Header(
            alias="X-Organization-Id",
            description="The organization to act in; needed by members of several.",
        ),
    ] = None,
    query: Annotated[
        UUID | None, Query(alias="organization_id", description="As `X-Organization-Id`.")
    ] = None,
) -> UUID | None:
    # `/organizations/{organization_id}/…` names it by its path; what is no UUID there, the
    # endpoint's own parameter refuses.
    path = request.path_params.get("organization_id")
    if path is not None:
        with suppress(ValueError):
            return UUID(path)
    return header or query


NamedOrganization = Annotated[UUID | None, Depends(_named_organization)]


async def _login(request: Request, credentials: Credentials) -> Login:
    login = await log_in_by(resources_of(request), credentials.credentials if credentials else None)
    if least_of(request) is Least.SUPERUSER and not login.user.is_superuser:
        raise Forbidden
    return login


async def _principal(
    request: Request, credentials: Credentials, named: NamedOrganization
) -> Principal:
    token = credentials.credentials if credentials else None
    resources = resources_of(request)
    caller = await authenticate(resources, token, least=least_of(request), named=named)
    context.add(organization=str(caller.organization_id))
    await limit(request.scope, resources.limiter, caller.organization_id, caller.user_id)
    return caller


async def _optional_principal(
    request: Request, credentials: Credentials, named: NamedOrganization
) -> Principal | None:
    return None if credentials is None else await _principal(request, credentials, named)


# An account, in whatever organizations; a caller that acts in one; the same where a signature will
# do instead.
LoggedIn = Annotated[Login, Depends(_login)]
Caller = Annotated[Principal, Depends(_principal)]
OptionalCaller = Annotated[Principal | None, Depends(_optional_principal)]


async def _scope(caller: Caller) -> OrganizationScope:
    return OrganizationScope(caller.organization_id)


Scope = Annotated[OrganizationScope, Depends(_scope)]
