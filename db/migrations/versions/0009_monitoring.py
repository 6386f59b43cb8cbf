"""What tasks did when and who asked for them; workers as they last reported."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.add_column(
        "tasks",
        sa.Column("timeline", _JSON, server_default=sa.text("'{}'::jsonb"), nullable=False),
    )
    op.add_column("tasks", sa.Column("origin", _JSON, nullable=True))
    op.create_index(
        "ix_tasks_ended",
        "tasks",
        ["completed_at", "organization_id"],
        postgresql_where=sa.text("completed_at IS NOT NULL"),
    )
    texts, time = postgresql.ARRAY(sa.Text()), sa.DateTime(timezone=True)
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("queues", texts, nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("heartbeat_at", time, nullable=False),
        sa.Column("tasks", texts, nullable=False),
        sa.Column("models", texts, nullable=False),
        sa.Column("loading", sa.Text(), nullable=True),
        sa.Column("loras", texts, nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("cpu", sa.REAL(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("gpu", sa.REAL(), nullable=True),
        sa.Column("gpu_memory_bytes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        prefixes=["UNLOGGED"],
        postgresql_with={"fillfactor": "50"},
    )


def downgrade() -> None:
    op.drop_table("workers")
    op.drop_index("ix_tasks_ended", "tasks")
    op.drop_column("tasks", "origin")
    op.drop_column("tasks", "timeline")
