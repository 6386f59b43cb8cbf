"""What the API says and takes about invitations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field

from db.models import Role
from serve_app.backend.users.schemas import FullName, Password
from serve_app.core.schemas import Input


class InvitationRead(BaseModel):
    """A place that is held for an address."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    role: Role
    expires_at: datetime
    created_at: datetime


class InvitationList(BaseModel):
    """One page of invitations."""

    items: list[InvitationRead]
    total: int
    page: int
    size: int


class InvitationCreate(Input):
    """Whom to invite, as what."""

    email: EmailStr = Field(max_length=254)
    role: Role = Role.EDITOR


class InvitationAcceptance(Input):
    """The token of the mail. An address without an account brings a password for its new one."""

    token: str = Field(min_length=1, max_length=200)
    password: Password | None = None
    full_name: FullName | None = None
