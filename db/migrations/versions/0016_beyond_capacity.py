"""Newcomers are given tasks beyond the capacity that others have filled."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql"
_ARGUMENTS = "text, text, integer, integer, double precision, text[]"


def upgrade() -> None:
    op.execute(f"DROP FUNCTION claim_tasks({_ARGUMENTS})")
    _run("0016")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION claim_tasks({_ARGUMENTS}, integer)")
    _run("0015")


def _run(folder: str) -> None:
    op.get_bind().exec_driver_sql((SQL / folder / "claim_tasks.sql").read_text())
