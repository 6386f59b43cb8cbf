"""What happened to one subject is found without reading the rest of the log."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEX = "ix_events_organization_id_subject_id_seq"


def upgrade() -> None:
    op.create_index(op.f(_INDEX), "events", ["organization_id", "subject_id", "seq"])


def downgrade() -> None:
    op.drop_index(op.f(_INDEX), "events")
