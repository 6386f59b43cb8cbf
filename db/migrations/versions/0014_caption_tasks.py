"""Products know the task that writes their caption, so that no answer is lost with a runner."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("caption_task_id", sa.Text(collation="C"), nullable=True))
    op.create_foreign_key(
        op.f("fk_products_caption_task_id_tasks"),
        "products",
        "tasks",
        ["caption_task_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(
        op.f("ix_products_caption_task_id"),
        "products",
        ["caption_task_id"],
        postgresql_where=sa.text("caption_task_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_column("products", "caption_task_id")
