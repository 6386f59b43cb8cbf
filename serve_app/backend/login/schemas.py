"""What logging in takes and answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from serve_app.backend.users.schemas import Password
from serve_app.core.schemas import Input


class TokenRead(BaseModel):
    """Tokens of one login (RFC 6749, section 5.1)."""

    access_token: str = Field(description="For `Authorization: Bearer …`.")
    refresh_token: str = Field(description="Good once, for `POST /login/refresh-token`.")
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds that the access token is good for.")


class RefreshRequest(Input):
    """A refresh token, to be replaced."""

    refresh_token: str = Field(max_length=4096)


class PasswordReset(Input):
    """The token of the mail, and the password to come."""

    token: str = Field(max_length=4096)
    new_password: Password


class Message(BaseModel):
    """What was done, in words."""

    message: str
