"""Limits of plans: of requests, of tasks at once and in a day; lanes count what waits in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql"
_NEW = {
    "tier_of": "tier_of(uuid)",
    "take_permits": "take_permits(uuid, text, integer, double precision, integer)",
    "wake_limited_lanes": "wake_limited_lanes(text)",
    "tasks_leave_lane": "tasks_leave_lane()",
    "tasks_free_slot": "tasks_free_slot()",
}
_WAKE_LANE = "wake_lane(text, uuid, timestamptz, integer, double precision)"
_OLD_WAKE_LANE = "wake_lane(text, uuid, timestamptz)"
_CHANGED = ("tasks_wake_lanes", "tasks_wake_lane", "claim_tasks")
_TRIGGERS = {
    "tasks_leave_lane": """
    CREATE TRIGGER tasks_leave_lane AFTER UPDATE OF status ON tasks
    FOR EACH ROW WHEN (OLD.status = 'pending' AND NEW.status NOT IN ('pending', 'running'))
    EXECUTE FUNCTION tasks_leave_lane()
    """,
    "tasks_free_slot": """
    CREATE TRIGGER tasks_free_slot AFTER UPDATE OF status ON tasks
    FOR EACH ROW WHEN (OLD.status = 'running' AND NEW.status <> 'running')
    EXECUTE FUNCTION tasks_free_slot()
    """,
}


def upgrade() -> None:
    _create_plans()
    _create_rate_limits()
    _create_daily_tasks()
    op.add_column("organizations", _column("tier", sa.Text(), nullable=True))
    _count_in_lanes()
    op.add_column("queue_clocks", _column("capacity", sa.Integer(), nullable=True))
    op.create_index(
        "ix_tasks_running_organization",
        "tasks",
        ["organization_id"],
        postgresql_where=sa.text("status = 'running'"),
    )
    op.execute(f"DROP FUNCTION {_OLD_WAKE_LANE}")
    for name in ("wake_lane", *_NEW, *_CHANGED):
        _run("0011", name)
    for trigger in _TRIGGERS.values():
        op.execute(trigger)


def downgrade() -> None:
    for name in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON tasks")
    op.execute(f"DROP FUNCTION {_WAKE_LANE}")
    for name in ("wake_lane", *_CHANGED):
        _run("0001", name)
    for signature in _NEW.values():
        op.execute(f"DROP FUNCTION {signature}")
    op.drop_index("ix_tasks_running_organization", "tasks")
    op.drop_column("queue_clocks", "capacity")
    # Those that slept because of a limit have tasks that may run.
    op.execute("UPDATE lanes SET wake_at = now() WHERE limited_to IS NOT NULL")
    op.drop_index("ix_lanes_limited", "lanes")
    for column in ("pending", "pending_cost", "limited_to"):
        op.drop_column("lanes", column)
    op.drop_column("organizations", "tier")
    for table in ("daily_tasks", "rate_limits", "plans"):
        op.drop_table(table)


def _run(folder: str, name: str) -> None:
    script = (SQL / folder / f"{name}.sql").read_text()
    if folder == "0001" and name != "wake_lane":
        script = script.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    op.get_bind().exec_driver_sql(script)


def _column(name: str, kind: Any, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _create_plans() -> None:
    op.create_table(
        "plans",
        _column("tier", sa.Text()),
        _column("is_default", sa.Boolean()),
        _column("concurrent_tasks", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("tier", name=op.f("pk_plans")),
    )


def _create_rate_limits() -> None:
    op.create_table(
        "rate_limits",
        _column("subject_id", sa.Uuid()),
        _column("bucket", sa.Text()),
        _column("arrival", postgresql.DOUBLE_PRECISION()),
        sa.PrimaryKeyConstraint("subject_id", "bucket", name=op.f("pk_rate_limits")),
        postgresql_with={"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.02"},
    )


def _create_daily_tasks() -> None:
    op.create_table(
        "daily_tasks",
        _column("organization_id", sa.Uuid()),
        _column("day", sa.Date()),
        _column("tasks", sa.Integer()),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_daily_tasks_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_daily_tasks")),
        postgresql_with={"fillfactor": "50"},
    )


def _count_in_lanes() -> None:
    zero = sa.text("0")
    for name, kind in (("pending", sa.Integer()), ("pending_cost", postgresql.DOUBLE_PRECISION())):
        op.add_column("lanes", sa.Column(name, kind, server_default=zero, nullable=False))
    op.add_column("lanes", _column("limited_to", sa.Integer(), nullable=True))
    op.create_index(
        "ix_lanes_limited",
        "lanes",
        ["organization_id"],
        postgresql_where=sa.text("limited_to IS NOT NULL"),
    )
    op.execute("""
        UPDATE lanes SET pending = waiting.tasks, pending_cost = waiting.cost
        FROM (
            SELECT queue, organization_id, count(*) AS tasks, sum(cost) AS cost
            FROM tasks WHERE status = 'pending' GROUP BY queue, organization_id
        ) AS waiting
        WHERE lanes.queue = waiting.queue AND lanes.organization_id = waiting.organization_id
    """)
