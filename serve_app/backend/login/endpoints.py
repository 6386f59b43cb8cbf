"""``/login``, ``/logout``, ``/password-recovery``, ``/reset-password``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import BackgroundTasks, Depends, Form, Path, Request, Response, status
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import SecretStr

from db.repositories.logins import LoginRepository
from serve_app.backend.login import service
from serve_app.backend.login.schemas import Message, PasswordReset, RefreshRequest, TokenRead
from serve_app.backend.users.schemas import UserRead
from serve_app.core.auth import LoggedIn, NamedOrganization
from serve_app.core.dependencies import BaseUrl, RequestResources, Writing
from serve_app.core.openapi import errors
from serve_app.core.passwords import MAX_LENGTH
from serve_app.core.routing import Router
from serve_app.core.text import Storable

router = Router(tags=["login"])

_SENT = "If that email is registered, we sent a password recovery link"


async def _password_form(
    username: Annotated[str, Form(max_length=254, description="Your email."), Storable],
    password: Annotated[SecretStr, Form(max_length=MAX_LENGTH)],
    grant_type: Annotated[Literal["password"], Form()] = "password",
) -> OAuth2PasswordRequestForm:
    return OAuth2PasswordRequestForm(
        username=username, password=password.get_secret_value(), grant_type=grant_type
    )


@router.post("/login/access-token", operation_id="login_access_token", responses=errors(401, 429))
async def access_token(
    request: Request,
    form: Annotated[OAuth2PasswordRequestForm, Depends(_password_form)],
    resources: RequestResources,
) -> TokenRead:
    """Log in with email (`username`) and password, as a form (OAuth2 password flow)."""
    address = request.client.host if request.client else ""
    return await service.log_in(resources, form.username, form.password, address)


@router.post("/login/refresh-token", operation_id="login_refresh_token", responses=errors(401))
async def refresh_token(body: RefreshRequest, resources: RequestResources) -> TokenRead:
    """Get new tokens for a refresh token. Each is good once: using one twice ends the login."""
    return await service.refresh(resources, body.refresh_token)


@router.post("/login/test-token", operation_id="login_test_token", responses=errors(401))
async def test_token(login: LoggedIn, named: NamedOrganization) -> UserRead:
    """Whose access token this is."""
    return UserRead.of(login.user, named)


@router.post(
    "/logout",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="logout",
    responses=errors(401),
)
async def logout(login: LoggedIn, session: Writing) -> Response:
    """End this login: its access and refresh tokens are good for nothing any more."""
    await LoginRepository(session).end_session(login.session_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/password-recovery/{email}", operation_id="recover_password")
async def recover_password(
    email: Annotated[str, Path(max_length=254, description="Address of the account."), Storable],
    resources: RequestResources,
    base_url: BaseUrl,
    later: BackgroundTasks,
) -> Message:
    """Send a link to a new password. The answer is the same whether the address has an account."""
    # After the response: the time must not tell either.
    later.add_task(service.mail_reset_link, resources, email, base_url)
    return Message(message=_SENT)


@router.post("/reset-password/", operation_id="reset_password", responses=errors(400))
async def reset_password(body: PasswordReset, resources: RequestResources) -> Message:
    """Choose a new password by the token of the mail; every login of the account ends."""
    await service.reset_password(resources, body.token, body.new_password.get_secret_value())
    return Message(message="Password updated successfully")
