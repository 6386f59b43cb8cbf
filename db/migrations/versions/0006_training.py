"""Trainings: what they are about, and what they report by step."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = (
    "trainings",
    "training_inputs",
    "training_steps",
    "training_validations",
    "training_samples",
    "training_checkpoints",
)
# What can be trained in the studio.
_TRAINED = ("subjects", "products")


def upgrade() -> None:
    _create_trainings()
    _create_training_inputs()
    _create_training_steps()
    _create_training_validations()
    _create_training_samples()
    _create_training_checkpoints()
    for table in _TRAINED:
        op.add_column(table, sa.Column("training_id", sa.Text(collation="C"), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_{table}_training_id_trainings"),
            table,
            "trainings",
            ["training_id"],
            ["task_id"],
            ondelete="SET NULL",
        )
        op.create_index(op.f(f"ix_{table}_training_id"), table, ["training_id"])


def downgrade() -> None:
    for table in _TRAINED:
        op.drop_column(table, "training_id")
    for table in reversed(_TABLES):
        op.drop_table(table)


def _refers(table: str, column: str, to: str, ondelete: str | None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{to.partition('.')[0]}")
    return sa.ForeignKeyConstraint([column], [to], name=name, ondelete=ondelete)


def _task_id() -> sa.Column[str]:
    return sa.Column("task_id", sa.Text(collation="C"), nullable=False)


def _column(name: str, kind: Any, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _created_at() -> sa.Column[Any]:
    return sa.Column(
        "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _create_by_step(table: str, *columns: sa.Column[Any], key: tuple[str, ...] = ("step",)) -> None:
    op.create_table(
        table,
        _task_id(),
        *(_column(name, sa.Integer()) for name in key),
        *columns,
        _refers(table, "task_id", "trainings.task_id", "CASCADE"),
        sa.PrimaryKeyConstraint("task_id", *key, name=op.f(f"pk_{table}")),
    )


def _create_trainings() -> None:
    entity_type = sa.Enum(
        "subject",
        "product",
        "style",
        name="entity_type",
        native_enum=False,
        create_constraint=True,
        length=32,
    )
    op.create_table(
        "trainings",
        _task_id(),
        _column("organization_id", sa.Uuid()),
        _column("base_model", sa.Text()),
        _column("output_name", sa.Text()),
        _column("entity_type", entity_type),
        _column("trigger_word", sa.Text(), nullable=True),
        _column("requested_by", sa.Uuid(), nullable=True),
        _column("phase", sa.Text(), nullable=True),
        _column("step", sa.Integer(), nullable=True),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        _column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        _column("closed_at", sa.DateTime(timezone=True), nullable=True),
        _created_at(),
        _refers("trainings", "task_id", "tasks.id", "CASCADE"),
        _refers("trainings", "organization_id", "organizations.id", "CASCADE"),
        _refers("trainings", "requested_by", "users.id", "SET NULL"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_trainings")),
    )
    op.create_index(
        op.f("ix_trainings_organization_id"),
        "trainings",
        ["organization_id", sa.literal_column("task_id DESC")],
    )
    op.create_index(
        "ix_trainings_open",
        "trainings",
        ["task_id"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _create_training_inputs() -> None:
    op.create_table(
        "training_inputs",
        _task_id(),
        _column("media_id", sa.Uuid()),
        _refers("training_inputs", "task_id", "trainings.task_id", "CASCADE"),
        _refers("training_inputs", "media_id", "media.id", None),
        sa.PrimaryKeyConstraint("task_id", "media_id", name=op.f("pk_training_inputs")),
    )
    op.create_index(op.f("ix_training_inputs_media_id"), "training_inputs", ["media_id"])


def _create_training_steps() -> None:
    _create_by_step(
        "training_steps",
        _column("epoch", sa.Integer()),
        _column("loss", sa.Float(53)),
        _column("learning_rate", sa.Float(53)),
        _column("images_per_second", sa.REAL()),
        _column("eta_seconds", sa.REAL()),
    )


def _create_training_validations() -> None:
    _create_by_step(
        "training_validations",
        _column("loss", sa.Float(53), nullable=True),
        _column("similarity", sa.Float(53), nullable=True),
        _column("is_best", sa.Boolean()),
    )


def _create_training_samples() -> None:
    _create_by_step(
        "training_samples",
        _column("prompt", sa.Text()),
        _column("seed", sa.BigInteger()),
        _column("path", sa.Text()),
        _column("content_type", sa.Text()),
        _column("width", sa.Integer()),
        _column("height", sa.Integer()),
        _column("size", sa.Integer()),
        _column("sha256", sa.Text()),
        key=("step", "index"),
    )


def _create_training_checkpoints() -> None:
    _create_by_step(
        "training_checkpoints",
        _column("path", sa.Text()),
        _column("size", sa.BigInteger()),
        _column("sha256", sa.Text()),
        _created_at(),
    )
