"""Webhooks: where events are sent to, and each delivery of one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.ids import new_delivery_id, new_webhook_id
from db.models.base import Base, CreatedAt, OrganizationKey, UpdatedAt, text_enum


class DeliveryStatus(StrEnum):
    """Whether a receiver has an event."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class SigningSecret:
    """Columns of what signs; all of it sealed (`serve_app.core.vault`). A secret that was replaced
    signs beside the new one until ``previous_until``."""

    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]


class Webhook(SigningSecret, Base):
    """An endpoint of an organization."""

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "organization_id", text("id DESC")),)

    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True, default=new_webhook_id)
    organization_id: Mapped[OrganizationKey]
    url: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    # Patterns: `task.completed`, `task.*`, `*`.
    events: Mapped[list[str]]
    # Events of the log after this one are delivered.
    since_seq: Mapped[int] = mapped_column(BigInteger)
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    succeeded_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class TaskWebhook(Base):
    """Where the end of one task is sent to."""

    __tablename__ = "task_webhooks"

    task_id: Mapped[str] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    organization_id: Mapped[OrganizationKey]
    url: Mapped[str]
    # The receiver, for taking turns: scheme, host and port.
    lane: Mapped[str]


class WebhookSecret(SigningSecret, Base):
    """What signs the deliveries of an organization's task webhooks."""

    __tablename__ = "webhook_secrets"

    organization_id: Mapped[OrganizationKey] = mapped_column(primary_key=True)


class WebhookCursor(Base):
    """Up to which event an organization's log was made into deliveries."""

    __tablename__ = "webhook_cursors"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    organization_id: Mapped[OrganizationKey] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)


class WebhookDelivery(Base):
    """One event for one receiver. A row is made in the transaction that moves the cursor past the
    event, so none is lost; its id is the ``webhook-id`` of every try."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "seq"),
        Index(
            "ix_webhook_deliveries_due",
            "lane",
            "next_try_at",
            postgresql_where=text("status = 'pending'"),
        ),
        Index(None, "organization_id", text("created_at DESC"), text("id DESC")),
        Index(None, "webhook_id", text("created_at DESC")),
        Index(None, "task_id"),
    )

    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True, default=new_delivery_id)
    organization_id: Mapped[OrganizationKey]
    webhook_id: Mapped[str | None] = mapped_column(
        Text(collation="C"), ForeignKey("webhooks.id", ondelete="CASCADE")
    )
    # Of a task's own webhook.
    task_id: Mapped[str | None] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="CASCADE")
    )
    url: Mapped[str | None]
    # Receivers take turns: the webhook's id, or where a task's leads to.
    lane: Mapped[str]
    # None: a test, which is in no log.
    seq: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str]
    status: Mapped[DeliveryStatus] = mapped_column(
        text_enum(DeliveryStatus, "status"), server_default="pending"
    )
    # How often it was taken up since it was last asked for.
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # What came of each try: {at, status, body, error, seconds}.
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
