"""Webhooks: endpoints, what signs, how far the log was read, and the deliveries."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = (
    "webhooks",
    "task_webhooks",
    "webhook_secrets",
    "webhook_cursors",
    "webhook_deliveries",
)


def upgrade() -> None:
    _create_webhooks()
    _create_task_webhooks()
    op.create_table(
        "webhook_secrets",
        _column("organization_id", sa.Uuid()),
        *_secret(),
        _refers("webhook_secrets", "organization_id", "organizations.id"),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_webhook_secrets")),
    )
    op.create_table(
        "webhook_cursors",
        _column("organization_id", sa.Uuid()),
        _column("seq", sa.BigInteger()),
        _refers("webhook_cursors", "organization_id", "organizations.id"),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_webhook_cursors")),
        postgresql_with={"fillfactor": "50"},
    )
    _create_webhook_deliveries()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{to.partition('.')[0]}")
    return sa.ForeignKeyConstraint([column], [to], name=name, ondelete="CASCADE")


def _column(name: str, kind: Any, *, nullable: bool = False, default: str = "") -> sa.Column[Any]:
    server_default = sa.text(default) if default else None
    return sa.Column(name, kind, nullable=nullable, server_default=server_default)


def _id(name: str = "id", *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return _column(
        name, sa.DateTime(timezone=True), nullable=nullable, default="" if nullable else "now()"
    )


def _secret() -> list[sa.Column[Any]]:
    return [
        _column("secret", sa.Text()),
        _column("previous_secret", sa.Text(), nullable=True),
        _time("previous_until", nullable=True),
    ]


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        _id(),
        _column("organization_id", sa.Uuid()),
        _column("url", sa.Text()),
        _column("description", sa.Text(), default="''"),
        _column("events", postgresql.ARRAY(sa.Text())),
        _column("since_seq", sa.BigInteger()),
        _time("disabled_at", nullable=True),
        _column("disabled_reason", sa.Text(), nullable=True),
        _time("succeeded_at", nullable=True),
        _time("created_at"),
        _time("updated_at"),
        *_secret(),
        _refers("webhooks", "organization_id", "organizations.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(
        op.f("ix_webhooks_organization_id"),
        "webhooks",
        ["organization_id", sa.literal_column("id DESC")],
    )


def _create_task_webhooks() -> None:
    op.create_table(
        "task_webhooks",
        _id("task_id"),
        _column("organization_id", sa.Uuid()),
        _column("url", sa.Text()),
        _column("lane", sa.Text()),
        _refers("task_webhooks", "task_id", "tasks.id"),
        _refers("task_webhooks", "organization_id", "organizations.id"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task_webhooks")),
    )


def _create_webhook_deliveries() -> None:
    table = "webhook_deliveries"
    status = sa.Enum(
        "pending",
        "delivered",
        "failed",
        name="status",
        native_enum=False,
        create_constraint=True,
        length=32,
    )
    op.create_table(
        table,
        _id(),
        _column("organization_id", sa.Uuid()),
        _id("webhook_id", nullable=True),
        _id("task_id", nullable=True),
        _column("url", sa.Text(), nullable=True),
        _column("lane", sa.Text()),
        _column("seq", sa.BigInteger(), nullable=True),
        _column("kind", sa.Text()),
        _column("status", status, default="'pending'"),
        _column("tries", sa.Integer(), default="0"),
        _time("next_try_at"),
        _column("attempts", postgresql.JSONB(astext_type=sa.Text()), default="'[]'::jsonb"),
        _time("created_at"),
        _time("finished_at", nullable=True),
        _refers(table, "organization_id", "organizations.id"),
        _refers(table, "webhook_id", "webhooks.id"),
        _refers(table, "task_id", "tasks.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("webhook_id", "seq", name=op.f("uq_webhook_deliveries_webhook_id_seq")),
    )
    pending = sa.text("status = 'pending'")
    op.create_index(
        "ix_webhook_deliveries_due", table, ["lane", "next_try_at"], postgresql_where=pending
    )
    newest: sa.ColumnElement[Any] = sa.literal_column("created_at DESC")
    op.create_index(
        op.f("ix_webhook_deliveries_organization_id"),
        table,
        ["organization_id", newest, sa.literal_column("id DESC")],
    )
    op.create_index(op.f("ix_webhook_deliveries_webhook_id"), table, ["webhook_id", newest])
    op.create_index(op.f("ix_webhook_deliveries_task_id"), table, ["task_id"])
