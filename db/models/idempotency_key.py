"""Responses kept for requests that a client sends again."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, OrganizationKey


class IdempotencyKey(Base):
    """The answer to the first request that carried this key, kept for 24 hours.

    ``status_code`` and ``response`` are NULL only inside the transaction of that request.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    organization_id: Mapped[OrganizationKey] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    # Hash of method, path and body: the same key with another one is a client's mistake.
    fingerprint: Mapped[str]
    status_code: Mapped[int | None]
    response: Mapped[object | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[CreatedAt]
