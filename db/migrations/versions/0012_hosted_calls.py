"""Calls to hosted providers are written down before they are made; providers that fail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_STATES = ("submitting", "running", "finished", "failed", "cancelled")


def upgrade() -> None:
    _create_hosted_calls()
    op.create_table(
        "provider_circuits",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_circuits")),
    )


def downgrade() -> None:
    op.drop_table("provider_circuits")
    op.drop_table("hosted_calls")


def _time(name: str) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _create_hosted_calls() -> None:
    op.create_table(
        "hosted_calls",
        sa.Column("task_id", sa.Text(collation="C"), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(*_STATES, name="state", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("submissions", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("answer", postgresql.JSONB(), nullable=True),
        sa.Column("usage", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("cost_usd", sa.Numeric(12, 6), server_default=sa.text("0"), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint(
            "state <> 'running' OR job_id IS NOT NULL",
            name=op.f("ck_hosted_calls_job_id_while_running"),
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["tasks.id"],
            name=op.f("fk_hosted_calls_task_id_tasks"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_hosted_calls_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_id", "part", name=op.f("pk_hosted_calls")),
    )
    op.create_index(
        "ix_hosted_calls_open",
        "hosted_calls",
        ["task_id"],
        postgresql_where=sa.text("state IN ('submitting', 'running')"),
    )
    op.create_index(
        op.f("ix_hosted_calls_organization_id_created_at"),
        "hosted_calls",
        ["organization_id", "created_at"],
    )
