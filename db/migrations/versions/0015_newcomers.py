"""A lane that was idle resumes where those stand that run, not where the last one was begun."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql"
_CHANGED = ("wake_lane", "wake_limited_lanes", "claim_tasks")


def upgrade() -> None:
    op.add_column("tasks", sa.Column("vtime", postgresql.DOUBLE_PRECISION(), nullable=True))
    op.add_column(
        "queue_clocks",
        sa.Column(
            "resumed_at", postgresql.DOUBLE_PRECISION(), server_default=sa.text("0"), nullable=False
        ),
    )
    for name in ("queue_clock", *_CHANGED):
        _run("0015", name)


def downgrade() -> None:
    for name in _CHANGED:
        _run("0011", name)
    op.execute("DROP FUNCTION queue_clock(text)")
    op.drop_column("queue_clocks", "resumed_at")
    op.drop_column("tasks", "vtime")


def _run(folder: str, name: str) -> None:
    script = (SQL / folder / f"{name}.sql").read_text()
    if folder == "0011":
        script = script.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    op.get_bind().exec_driver_sql(script)
