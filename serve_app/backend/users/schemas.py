"""What the API says and takes about users."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, EmailStr, Field, SecretStr

from db.models import Role, User
from serve_app.core.passwords import MAX_LENGTH, MIN_LENGTH
from serve_app.core.schemas import Input

Password = Annotated[SecretStr, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
FullName = Annotated[str, Field(min_length=1, max_length=200)]


class UserRead(BaseModel):
    """An account, with the role that it has in one organization."""

    id: UUID
    email: str = Field(examples=["your@email.com"])
    full_name: str | None
    is_active: bool
    is_superuser: bool
    role: Role | None = Field(
        description="In the organization that the request acts in; null without one."
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, user: User, organization_id: UUID | None = None) -> Self:
        """Render a user. Without an organization named, the role is that in the only one."""
        roles = {one.organization_id: one.role for one in user.memberships}
        only = next(iter(roles.values())) if len(roles) == 1 else None
        role = only if organization_id is None else roles.get(organization_id)
        return cls(
            id=user.id,
            email=user.email,
            full_name=user.full_name,
            is_active=user.is_active,
            is_superuser=user.is_superuser,
            role=role,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )


class UserList(BaseModel):
    """One page of users."""

    items: list[UserRead]
    total: int
    page: int
    size: int


class UserCreate(Input):
    """A new account in an organization."""

    email: EmailStr = Field(max_length=254)
    password: Password
    full_name: FullName | None = None
    organization_id: UUID | None = Field(
        None, description="Absent: the organization that the request acts in."
    )
    role: Role = Role.EDITOR


class UserUpdate(Input):
    """What a superuser may change; what is absent or null stays as it is."""

    email: EmailStr | None = Field(None, max_length=254)
    password: Password | None = None
    full_name: FullName | None = None
    is_active: bool | None = None
    role: Role | None = None


class MeUpdate(Input):
    """What you may change of your own account; what is absent or null stays as it is."""

    email: EmailStr | None = Field(None, max_length=254)
    full_name: FullName | None = None


class PasswordChange(Input):
    """Your password, and the one to come."""

    current_password: SecretStr = Field(max_length=MAX_LENGTH)
    new_password: Password
