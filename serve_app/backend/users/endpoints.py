"""``/users``: accounts; ``/users/me``: your own."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.repositories.users import UserRepository, UserWriter
from serve_app.backend.users import service
from serve_app.backend.users.schemas import (
    MeUpdate,
    PasswordChange,
    UserCreate,
    UserList,
    UserRead,
    UserUpdate,
)
from serve_app.core.auth import Caller, LoggedIn, NamedOrganization
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.errors import NotFound
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router
from serve_app.core.text import Storable

router = Router(prefix="/users", tags=["users"])

UserId = Annotated[UUID, Path(description="Id of a user.")]


@router.get("/", operation_id="list_users", responses=errors(400, 401, 403, 404))
async def list_users(
    caller: Caller,
    session: Reading,
    page: PageNumber = 1,
    size: PageSize = 20,
    q: Annotated[
        str, Query(max_length=200, description="Part of an address or a name."), Storable
    ] = "",
) -> UserList:
    """The members of your organization, by address."""
    found = await UserRepository(session).list(
        page=page, size=size, organization_id=caller.organization_id, search=q
    )
    items = [UserRead.of(user, caller.organization_id) for user in found.items]
    return UserList(items=items, total=found.total, page=found.page, size=found.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_user",
    responses=errors(400, 401, 403, 404, 409),
)
async def create(body: UserCreate, caller: Caller, session: Writing) -> UserRead:
    """Make an account directly, in any organization. For superusers."""
    organization_id = body.organization_id or caller.organization_id
    user = await service.create(session, body, organization_id)
    return UserRead.of(user, organization_id)


@router.get("/me", operation_id="get_me", responses=errors(401))
async def get_me(login: LoggedIn, named: NamedOrganization) -> UserRead:
    """Your own account."""
    return UserRead.of(login.user, named)


@router.patch("/me", operation_id="update_me", responses=errors(401, 409))
async def update_me(
    body: MeUpdate, login: LoggedIn, named: NamedOrganization, session: Writing
) -> UserRead:
    """Change your own account."""
    changes = body.model_dump(exclude_none=True)
    user = await service.change(UserWriter(session), login.user.id, changes)
    return UserRead.of(user, named)


@router.post(
    "/me/password",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="change_my_password",
    responses=errors(400, 401),
)
async def change_password(body: PasswordChange, login: LoggedIn, session: Writing) -> Response:
    """Change your password; your other logins end."""
    await service.change_password(
        session, login.user, body.current_password, body.new_password, keep=login.session_id
    )
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/{user_id}", operation_id="get_user", responses=errors(400, 401, 403, 404))
async def get(user_id: UserId, caller: Caller, session: Reading) -> UserRead:
    """A member of your organization."""
    user = await UserRepository(session).get(user_id)
    if user is None or not (
        caller.is_superuser
        or any(one.organization_id == caller.organization_id for one in user.memberships)
    ):
        raise NotFound("User not found")
    return UserRead.of(user, caller.organization_id)


@router.patch("/{user_id}", operation_id="update_user", responses=errors(400, 401, 403, 404, 409))
async def update(user_id: UserId, body: UserUpdate, caller: Caller, session: Writing) -> UserRead:
    """Change an account, and its role in the organization that the request acts in. For
    superusers."""
    user = await service.update(session, user_id, body, caller.organization_id, caller.user_id)
    return UserRead.of(user, caller.organization_id)


@router.delete(
    "/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_user",
    responses=errors(400, 401, 403, 404, 409),
)
async def delete(user_id: UserId, caller: Caller, session: Writing) -> Response:
    """Remove an account from all organizations. For superusers."""
    await service.delete(session, user_id, caller.user_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
