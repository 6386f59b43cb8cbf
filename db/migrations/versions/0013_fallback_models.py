"""Organizations name a model that stands in for others; prompts may be composed by tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KIND = "ck_generation_steps_kind"
_KINDS = ("generate", "evaluate", "upscale", "background")


def upgrade() -> None:
    op.add_column("organizations", sa.Column("fallback_model", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("fallback_after_seconds", sa.Integer(), nullable=True))
    op.create_check_constraint(
        op.f("ck_organizations_fallback_after_seconds"),
        "organizations",
        "fallback_after_seconds > 0",
    )
    _allow(("compose", *_KINDS))


def downgrade() -> None:
    op.execute("DELETE FROM generation_steps WHERE kind = 'compose'")
    _allow(_KINDS)
    op.drop_constraint(op.f("ck_organizations_fallback_after_seconds"), "organizations")
    op.drop_column("organizations", "fallback_after_seconds")
    op.drop_column("organizations", "fallback_model")


def _allow(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f(_KIND), "generation_steps")
    values = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f(_KIND), "generation_steps", f"kind IN ({values})")
