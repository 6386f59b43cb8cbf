"""Adapters, and what is made with one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# What an adapter may belong to.
_OWNERS = ("subjects", "products", "styles")


def upgrade() -> None:
    _create_adapter_names()
    _create_adapters()
    for table in _OWNERS:
        op.add_column(table, sa.Column("lora_id", sa.Uuid(), nullable=True))
        name = op.f(f"fk_{table}_lora_id_adapters")
        op.create_foreign_key(name, table, "adapters", ["lora_id"], ["id"])
        op.create_index(op.f(f"ix_{table}_lora_id"), table, ["lora_id"])


def downgrade() -> None:
    for table in _OWNERS:
        op.drop_column(table, "lora_id")
    op.drop_table("adapters")
    op.drop_table("adapter_names")


def _organization(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id"],
        ["organizations.id"],
        name=op.f(f"fk_{table}_organization_id_organizations"),
        ondelete="CASCADE",
    )


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _create_adapter_names() -> None:
    op.create_table(
        "adapter_names",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("versions", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _organization("adapter_names"),
        sa.PrimaryKeyConstraint("organization_id", "name", name=op.f("pk_adapter_names")),
    )


def _create_adapters() -> None:
    op.create_table(
        "adapters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", _one_of("source", "trained", "uploaded"), nullable=False),
        sa.Column(
            "entity_type", _one_of("entity_type", "subject", "product", "style"), nullable=False
        ),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("base_model_hash", sa.Text(), nullable=True),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("trigger_word", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("task_id", sa.Text(collation="C"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "version > 0 AND rank > 0 AND size > 0", name=op.f("ck_adapters_numbers")
        ),
        _organization("adapters"),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["tasks.id"],
            name=op.f("fk_adapters_task_id_tasks"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adapters")),
        sa.UniqueConstraint(
            "organization_id",
            "name",
            "version",
            name=op.f("uq_adapters_organization_id_name_version"),
        ),
    )
    op.create_index(
        op.f("ix_adapters_organization_id"),
        "adapters",
        ["organization_id", sa.literal_column("id DESC")],
    )
    op.create_index(op.f("ix_adapters_task_id"), "adapters", ["task_id"], unique=True)
