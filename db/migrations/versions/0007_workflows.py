"""Workflows: their steps, the tasks of these, and an event for every change of state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql" / revision
_FUNCTIONS = ("workflows_append_event", "workflow_steps_append_event")
# Deferred to the commit: the cursor of the log is the last lock that a transaction takes.
_TRIGGERS = (
    """
    CREATE CONSTRAINT TRIGGER workflows_created AFTER INSERT ON workflows
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION workflows_append_event()
    """,
    """
    CREATE CONSTRAINT TRIGGER workflows_status_changed AFTER UPDATE OF status ON workflows
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION workflows_append_event()
    """,
    """
    CREATE CONSTRAINT TRIGGER workflow_steps_status_changed AFTER UPDATE OF status ON workflow_steps
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION workflow_steps_append_event()
    """,
)


def upgrade() -> None:
    _create_workflows()
    _create_workflow_steps()
    _create_workflow_tasks()
    for function in _FUNCTIONS:
        op.get_bind().exec_driver_sql((SQL / f"{function}.sql").read_text())
    for trigger in _TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    for table in ("workflow_tasks", "workflow_steps", "workflows"):
        op.drop_table(table)
    for function in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}()")


def _column(name: str, kind: Any, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _text_id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def _now(name: str) -> sa.Column[Any]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return _column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=nullable)


def _one_of(name: str, default: str, *others: str) -> sa.Column[str]:
    kind = sa.Enum(
        default, *others, name=name, native_enum=False, create_constraint=True, length=32
    )
    return sa.Column(name, kind, server_default=default, nullable=False)


def _refers(table: str, column: str, to: str, ondelete: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{to.partition('.')[0]}")
    return sa.ForeignKeyConstraint([column], [to], name=name, ondelete=ondelete)


def _create_workflows() -> None:
    op.create_table(
        "workflows",
        _text_id("id"),
        _column("organization_id", sa.Uuid()),
        _column("name", sa.Text()),
        _one_of("status", "created", "running", "paused", "completed", "failed", "cancelled"),
        _one_of("on_failure", "pause", "fail"),
        sa.Column("cache", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "input",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        _column("error", sa.Text(), nullable=True),
        _column("error_code", sa.Text(), nullable=True),
        _column("requested_by", sa.Uuid(), nullable=True),
        _now("created_at"),
        _time("started_at"),
        _time("completed_at"),
        _now("updated_at"),
        _refers("workflows", "organization_id", "organizations.id", "CASCADE"),
        _refers("workflows", "requested_by", "users.id", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflows")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        op.f("ix_workflows_organization_id"),
        "workflows",
        ["organization_id", sa.literal_column("id DESC")],
    )
    op.create_index(
        "ix_workflows_open",
        "workflows",
        ["status"],
        postgresql_where=sa.text("status IN ('running', 'paused')"),
    )


def _create_workflow_steps() -> None:
    op.create_table(
        "workflow_steps",
        _text_id("workflow_id"),
        _column("position", sa.SmallInteger()),
        _column("organization_id", sa.Uuid()),
        _column("name", sa.Text()),
        _column("type", sa.Text()),
        _json("config"),
        _column("depends_on", postgresql.ARRAY(sa.Text())),
        _json("input_mappings"),
        _json("plan", nullable=True),
        _one_of("status", "pending", "running", "waiting", "completed", "failed", "cancelled"),
        _json("output", nullable=True),
        _column("error", sa.Text(), nullable=True),
        _column("error_code", sa.Text(), nullable=True),
        _column("fingerprint", sa.Text(), nullable=True),
        sa.Column("reused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _time("started_at"),
        _time("completed_at"),
        _time("cleaned_at"),
        _refers("workflow_steps", "workflow_id", "workflows.id", "CASCADE"),
        _refers("workflow_steps", "organization_id", "organizations.id", "CASCADE"),
        sa.PrimaryKeyConstraint("workflow_id", "position", name=op.f("pk_workflow_steps")),
        sa.UniqueConstraint("workflow_id", "name", name=op.f("uq_workflow_steps_workflow_id_name")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_workflow_steps_fingerprint",
        "workflow_steps",
        ["organization_id", "fingerprint"],
        postgresql_where=sa.text(
            "fingerprint IS NOT NULL AND status = 'completed' AND cleaned_at IS NULL"
        ),
    )


def _create_workflow_tasks() -> None:
    op.create_table(
        "workflow_tasks",
        _text_id("task_id"),
        _column("organization_id", sa.Uuid()),
        _text_id("workflow_id"),
        _column("position", sa.SmallInteger()),
        _column("index", sa.SmallInteger()),
        _time("settled_at"),
        _now("created_at"),
        _refers("workflow_tasks", "task_id", "tasks.id", "CASCADE"),
        _refers("workflow_tasks", "organization_id", "organizations.id", "CASCADE"),
        sa.ForeignKeyConstraint(
            ["workflow_id", "position"],
            ["workflow_steps.workflow_id", "workflow_steps.position"],
            name=op.f("fk_workflow_tasks_workflow_id_workflow_steps"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_workflow_tasks")),
    )
    op.create_index(
        op.f("ix_workflow_tasks_workflow_id_position"),
        "workflow_tasks",
        ["workflow_id", "position"],
    )
    op.create_index(
        "ix_workflow_tasks_open",
        "workflow_tasks",
        ["task_id"],
        postgresql_where=sa.text("settled_at IS NULL"),
    )
