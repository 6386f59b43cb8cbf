"""What the API says and takes about members."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from db.models import Membership, Role
from serve_app.core.schemas import Input


class MemberRead(BaseModel):
    """A user's place in the organization."""

    user_id: UUID
    email: str
    full_name: str | None
    role: Role
    joined_at: datetime

    @classmethod
    def of(cls, membership: Membership) -> Self:
        """Render a membership whose user is loaded."""
        return cls(
            user_id=membership.user_id,
            email=membership.user.email,
            full_name=membership.user.full_name,
            role=membership.role,
            joined_at=membership.created_at,
        )


class MemberList(BaseModel):
    """One page of members."""

    items: list[MemberRead]
    total: int
    page: int
    size: int


class MemberUpdate(Input):
    """The role to come."""

    role: Role
