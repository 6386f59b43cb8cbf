"""People: their accounts, the organizations they belong to, and where they are logged in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, OrganizationKey, UuidKey, text_enum
from db.models.organization import Organization


class Role(StrEnum):
    """What a member may do in an organization; each one may do what those after it may."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


class User(Base):
    """An account. Addresses are kept in lower case, so that each belongs to one account."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email_is_lower_case"),)

    id: Mapped[UuidKey]
    email: Mapped[str] = mapped_column(unique=True)
    # argon2id, with its salt and parameters.
    password_hash: Mapped[str]
    full_name: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_superuser: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    memberships: Mapped[list[Membership]] = relationship(
        lazy="raise", order_by="Membership.created_at", passive_deletes=True
    )


class Membership(Base):
    """A user's place in an organization."""

    __tablename__ = "memberships"
    __table_args__ = (Index(None, "user_id"),)

    organization_id: Mapped[OrganizationKey] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[Role] = mapped_column(text_enum(Role, "role"))
    created_at: Mapped[CreatedAt]

    organization: Mapped[Organization] = relationship(lazy="raise")
    user: Mapped[User] = relationship(lazy="raise", viewonly=True)


class Invitation(Base):
    """A place in an organization, held for an address. Only the SHA-256 of its token is kept."""

    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("organization_id", "email"),)

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    email: Mapped[str]
    role: Mapped[Role] = mapped_column(text_enum(Role, "role"))
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class LoginSession(Base):
    """One login and all the refresh tokens that followed from it, of which only the last is good.

    A token that was already replaced has been stolen, or its thief came first: either way the whole
    session ends (RFC 9700, section 4.14.2).
    """

    __tablename__ = "login_sessions"
    __table_args__ = (Index(None, "user_id"), Index(None, "expires_at"))

    id: Mapped[UuidKey]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    # `jti` of the refresh token that is good.
    refresh_id: Mapped[UUID]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    user: Mapped[User] = relationship(lazy="raise")


class LoginFailure(Base):
    """A login that was refused; what the limits are counted from. Kept for a day."""

    __tablename__ = "login_failures"
    __table_args__ = (Index(None, "email", "at"), Index(None, "address", "at"), Index(None, "at"))

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    email: Mapped[str]
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
