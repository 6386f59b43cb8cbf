"""The first schema: organizations, tasks and their queue, events, retried requests."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql" / revision
FUNCTIONS = (
    "append_event(uuid, text, text, jsonb)",
    "wake_lane(text, uuid, timestamptz)",
    "tasks_append_event()",
    "tasks_wake_lanes()",
    "tasks_wake_lane()",
    "pick_task(text, uuid, timestamptz, text[])",
    "claim_tasks(text, text, integer, integer, double precision, text[])",
    "reap_expired_tasks(integer)",
)
TRIGGERS = (
    """
    CREATE TRIGGER tasks_wake_lanes AFTER INSERT ON tasks
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION tasks_wake_lanes()
    """,
    """
    CREATE TRIGGER tasks_wake_lane AFTER UPDATE OF status ON tasks
    FOR EACH ROW WHEN (NEW.status = 'pending' AND OLD.status <> 'pending')
    EXECUTE FUNCTION tasks_wake_lane()
    """,
    # Deferred to the commit: the cursor of the log is the last lock that a transaction takes.
    """
    CREATE CONSTRAINT TRIGGER tasks_created AFTER INSERT ON tasks
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION tasks_append_event()
    """,
    """
    CREATE CONSTRAINT TRIGGER tasks_status_changed AFTER UPDATE OF status ON tasks
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION tasks_append_event()
    """,
)


def upgrade() -> None:
    for create in TABLES.values():
        create()
    for function in FUNCTIONS:
        name = function.partition("(")[0]
        op.get_bind().exec_driver_sql((SQL / f"{name}.sql").read_text())
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {function} CASCADE")
    for table in reversed(TABLES):
        op.drop_table(table)


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _of_organization(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id"],
        ["organizations.id"],
        name=op.f(f"fk_{table}_organization_id_organizations"),
        ondelete="CASCADE",
    )


def _create_organizations() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("weight", sa.REAL(), server_default=sa.text("1"), nullable=False),
        _now("created_at"),
        sa.CheckConstraint("weight > 0", name=op.f("ck_organizations_weight")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("slug", name=op.f("uq_organizations_slug")),
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        _now("created_at"),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        _of_organization("api_keys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
    op.create_index(op.f("ix_api_keys_organization_id"), "api_keys", ["organization_id"])


def _task_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "running",
                "completed",
                "failed",
                "cancelled",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost", sa.REAL(), server_default=sa.text("1"), nullable=False),
        sa.Column("affinity", sa.Text(), nullable=True),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("output", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("progress", sa.REAL(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_attempts", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column(
            "failures",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("runner_id", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        _now("available_at"),
        _now("created_at"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        _now("updated_at"),
    )


def _task_checks() -> tuple[sa.CheckConstraint, ...]:
    return (
        sa.CheckConstraint(
            "(status = 'running') = (lease_expires_at IS NOT NULL)",
            name=op.f("ck_tasks_lease_while_running"),
        ),
        sa.CheckConstraint(
            "(status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)",
            name=op.f("ck_tasks_completed_at_when_final"),
        ),
        sa.CheckConstraint(
            "status <> 'completed' OR output IS NOT NULL", name=op.f("ck_tasks_output")
        ),
        sa.CheckConstraint("attempt >= 0 AND max_attempts > 0", name=op.f("ck_tasks_attempts")),
        sa.CheckConstraint("cost > 0", name=op.f("ck_tasks_cost")),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_tasks_progress")),
    )


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        *_task_columns(),
        *_task_checks(),
        _of_organization("tasks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        postgresql_with={
            "fillfactor": "80",
            "autovacuum_vacuum_scale_factor": "0.02",
            "autovacuum_analyze_scale_factor": "0.05",
        },
    )

    _index_tasks()


def _index_tasks() -> None:
    op.create_index(
        "ix_tasks_claim",
        "tasks",
        [
            "queue",
            "organization_id",
            sa.literal_column("priority DESC"),
            "created_at",
            "id",
            "available_at",
        ],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_tasks_list", "tasks", ["organization_id", sa.literal_column("id DESC")])
    op.create_index(
        "ix_tasks_running",
        "tasks",
        ["queue"],
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_tasks_wake",
        "tasks",
        ["queue", "organization_id", "available_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )


def _create_lanes() -> None:
    op.create_table(
        "lanes",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("vtime", sa.DOUBLE_PRECISION(), nullable=False),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=False),
        _of_organization("lanes"),
        sa.PrimaryKeyConstraint("queue", "organization_id", name=op.f("pk_lanes")),
        postgresql_with={"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.02"},
    )
    op.create_index(
        "ix_lanes_awake",
        "lanes",
        ["queue", "vtime", "organization_id", "wake_at"],
        postgresql_where=sa.text("wake_at < 'infinity'"),
    )


def _create_queue_clocks() -> None:
    op.create_table(
        "queue_clocks",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("vtime", sa.DOUBLE_PRECISION(), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_queue_clocks")),
        postgresql_with={"fillfactor": "50"},
    )


def _create_event_cursors() -> None:
    op.create_table(
        "event_cursors",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        _of_organization("event_cursors"),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_event_cursors")),
        postgresql_with={"fillfactor": "50"},
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _now("created_at"),
        _of_organization("events"),
        sa.PrimaryKeyConstraint("organization_id", "seq", name=op.f("pk_events")),
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column(
            "response", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        _now("created_at"),
        _of_organization("idempotency_keys"),
        sa.PrimaryKeyConstraint("organization_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])


TABLES = {
    "organizations": _create_organizations,
    "api_keys": _create_api_keys,
    "tasks": _create_tasks,
    "lanes": _create_lanes,
    "queue_clocks": _create_queue_clocks,
    "event_cursors": _create_event_cursors,
    "events": _create_events,
    "idempotency_keys": _create_idempotency_keys,
}
