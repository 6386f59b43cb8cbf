"""The studio: catalog, presets, shootings, shots, generations, subscriptions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = (
    "brands",
    "media",
    "resolution_presets",
    "shot_types",
    "styles",
    "subjects",
    "subscriptions",
    "background_presets",
    "guidelines",
    "products",
    "subject_images",
    "guideline_rules",
    "product_images",
    "shootings",
    "looks",
    "look_products",
    "shots",
    "generations",
    "shot_comments",
    "shot_revisions",
    "credit_entries",
    "exports",
    "generation_inputs",
    "generation_steps",
    "predictions",
)

# Tables that predictions refer to, and that refer to predictions.
_BACK = (
    ("shots", "current_prediction_id", "SET NULL"),
    ("shot_revisions", "prediction_id", "SET NULL"),
    ("shot_comments", "prediction_id", "CASCADE"),
)


def upgrade() -> None:
    _create_brands()
    _create_media()
    _create_resolution_presets()
    _create_shot_types()
    _create_styles()
    _create_subjects()
    _create_subscriptions()
    _create_background_presets()
    _create_guidelines()
    _create_products()
    _create_subject_images()
    _create_guideline_rules()
    _create_product_images()
    _create_shootings()
    _create_looks()
    _create_look_products()
    _create_shots()
    _create_generations()
    _create_shot_comments()
    _create_shot_revisions()
    _create_credit_entries()
    _create_exports()
    _create_generation_inputs()
    _create_generation_steps()
    _create_predictions()
    _refer_back()


def downgrade() -> None:
    for table, column, _ in _BACK:
        op.drop_constraint(f"fk_{table}_{column}_predictions", table, type_="foreignkey")
    for table in reversed(_TABLES):
        op.drop_table(table)


def _id() -> sa.Column[UUID]:
    return sa.Column("id", sa.Uuid(), nullable=False)


def _uuid(name: str, *, nullable: bool = False) -> sa.Column[UUID]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _refers(
    table: str, column: str, to: str, ondelete: str | None = None
) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{to}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete=ondelete)


def _create_brands() -> None:
    op.create_table(
        "brands",
        _id(),
        _uuid("organization_id"),
        _text("name"),
        _text("description", nullable=True),
        _text("website", nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("brands", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brands")),
    )
    op.create_index(
        op.f("ix_brands_organization_id"),
        "brands",
        ["organization_id", sa.literal_column("id DESC")],
    )


def _create_media() -> None:
    op.create_table(
        "media",
        _id(),
        _uuid("organization_id"),
        _text("sha256"),
        _text("path"),
        _text("thumbnail_path"),
        _text("content_type"),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        _text("dominant_color"),
        _time("created_at"),
        _refers("media", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
        sa.UniqueConstraint(
            "organization_id", "sha256", name=op.f("uq_media_organization_id_sha256")
        ),
    )


def _create_resolution_presets() -> None:
    op.create_table(
        "resolution_presets",
        _id(),
        _uuid("organization_id", nullable=True),
        _text("name"),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint("width > 0 AND height > 0", name=op.f("ck_resolution_presets_size")),
        _refers("resolution_presets", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resolution_presets")),
    )
    op.create_index(
        op.f("ix_resolution_presets_organization_id_position"),
        "resolution_presets",
        ["organization_id", "position"],
    )


def _create_shot_types() -> None:
    op.create_table(
        "shot_types",
        _id(),
        _uuid("organization_id", nullable=True),
        _text("name"),
        sa.Column(
            "framing",
            _one_of(
                "framing",
                "full_body",
                "upper_body",
                "lower_body",
                "upper_three_quarters",
                "lower_three_quarters",
                "detail",
            ),
            nullable=False,
        ),
        sa.Column("view", _one_of("view", "front", "back", "side"), nullable=False),
        _text("prompt", nullable=True),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        _refers("shot_types", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shot_types")),
    )
    op.create_index(
        op.f("ix_shot_types_organization_id_position"),
        "shot_types",
        ["organization_id", "position"],
    )


def _create_styles() -> None:
    op.create_table(
        "styles",
        _id(),
        _uuid("organization_id"),
        _text("name"),
        _text("description", nullable=True),
        _text("lighting", nullable=True),
        _text("tone", nullable=True),
        sa.Column(
            "palette", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        _text("prompt", nullable=True),
        _text("negative_prompt", nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("styles", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_styles")),
    )
    op.create_index(
        op.f("ix_styles_organization_id"),
        "styles",
        ["organization_id", sa.literal_column("id DESC")],
    )


def _create_subjects() -> None:
    op.create_table(
        "subjects",
        _id(),
        _uuid("organization_id"),
        _text("name"),
        sa.Column("kind", _one_of("kind", "ai", "real"), server_default="ai", nullable=False),
        _text("description", nullable=True),
        _text("gender", nullable=True),
        sa.Column(
            "age_class",
            _one_of("age_class", "kid", "teen", "young", "middle_age", "elder"),
            nullable=True,
        ),
        _text("body_type", nullable=True),
        _text("skin_tone", nullable=True),
        _text("hair", nullable=True),
        _text("eye_color", nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("subjects", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subjects")),
    )
    op.create_index(
        op.f("ix_subjects_organization_id"),
        "subjects",
        ["organization_id", sa.literal_column("id DESC")],
    )


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        _id(),
        _uuid("organization_id"),
        _text("tier"),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("credits_per_period", sa.Integer(), nullable=False),
        sa.Column("credits_remaining", sa.Integer(), nullable=False),
        sa.Column("auto_renew", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint(
            "credits_remaining >= 0", name=op.f("ck_subscriptions_credits_remaining")
        ),
        sa.CheckConstraint("period_end > period_start", name=op.f("ck_subscriptions_period")),
        _refers("subscriptions", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("organization_id", name=op.f("uq_subscriptions_organization_id")),
    )


def _create_background_presets() -> None:
    op.create_table(
        "background_presets",
        _id(),
        _uuid("organization_id", nullable=True),
        _text("name"),
        sa.Column("type", _one_of("type", "color", "image", "prompt"), nullable=False),
        _text("color", nullable=True),
        _uuid("media_id", nullable=True),
        _text("prompt", nullable=True),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint(
            "(type = 'color') = (color IS NOT NULL)"
            " AND (type = 'image') = (media_id IS NOT NULL)"
            " AND (type = 'prompt') = (prompt IS NOT NULL)",
            name=op.f("ck_background_presets_value_of_its_type"),
        ),
        _refers("background_presets", "media_id", "media"),
        _refers("background_presets", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_background_presets")),
    )
    op.create_index(op.f("ix_background_presets_media_id"), "background_presets", ["media_id"])
    op.create_index(
        op.f("ix_background_presets_organization_id_position"),
        "background_presets",
        ["organization_id", "position"],
    )


def _create_guidelines() -> None:
    op.create_table(
        "guidelines",
        _id(),
        _uuid("organization_id"),
        _uuid("brand_id", nullable=True),
        _text("name"),
        _text("description", nullable=True),
        _text("prompt", nullable=True),
        _text("negative_prompt", nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("guidelines", "brand_id", "brands"),
        _refers("guidelines", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guidelines")),
    )
    op.create_index(op.f("ix_guidelines_brand_id"), "guidelines", ["brand_id"])
    op.create_index(
        op.f("ix_guidelines_organization_id"),
        "guidelines",
        ["organization_id", sa.literal_column("id DESC")],
    )


def _create_products() -> None:
    op.create_table(
        "products",
        _id(),
        _uuid("organization_id"),
        _uuid("brand_id", nullable=True),
        _text("name"),
        _text("sku"),
        sa.Column(
            "family",
            _one_of("family", "apparel", "footwear", "accessories", "beauty"),
            server_default="apparel",
            nullable=False,
        ),
        _text("category", nullable=True),
        _text("gender", nullable=True),
        _text("color", nullable=True),
        sa.Column(
            "materials", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        _text("description", nullable=True),
        _text("caption", nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("products", "brand_id", "brands"),
        _refers("products", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("organization_id", "sku", name=op.f("uq_products_organization_id_sku")),
    )
    op.create_index(op.f("ix_products_brand_id"), "products", ["brand_id"])
    op.create_index(
        op.f("ix_products_organization_id"),
        "products",
        ["organization_id", sa.literal_column("id DESC")],
    )


def _create_subject_images() -> None:
    op.create_table(
        "subject_images",
        _id(),
        _uuid("organization_id"),
        _uuid("subject_id"),
        _uuid("media_id"),
        _uuid("shot_type_id", nullable=True),
        sa.Column("is_cover", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("created_at"),
        _refers("subject_images", "media_id", "media"),
        _refers("subject_images", "organization_id", "organizations", "CASCADE"),
        _refers("subject_images", "shot_type_id", "shot_types", "SET NULL"),
        _refers("subject_images", "subject_id", "subjects", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_images")),
        sa.UniqueConstraint(
            "subject_id", "media_id", name=op.f("uq_subject_images_subject_id_media_id")
        ),
    )
    op.create_index(op.f("ix_subject_images_media_id"), "subject_images", ["media_id"])
    op.create_index(op.f("ix_subject_images_shot_type_id"), "subject_images", ["shot_type_id"])
    op.create_index(
        op.f("ix_subject_images_subject_id_position"),
        "subject_images",
        ["subject_id", "position"],
    )


def _create_guideline_rules() -> None:
    op.create_table(
        "guideline_rules",
        _id(),
        _uuid("organization_id"),
        _uuid("guideline_id"),
        _uuid("shot_type_id"),
        _text("prompt", nullable=True),
        _text("negative_prompt", nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("guideline_rules", "guideline_id", "guidelines", "CASCADE"),
        _refers("guideline_rules", "organization_id", "organizations", "CASCADE"),
        _refers("guideline_rules", "shot_type_id", "shot_types", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guideline_rules")),
        sa.UniqueConstraint(
            "guideline_id",
            "shot_type_id",
            name=op.f("uq_guideline_rules_guideline_id_shot_type_id"),
        ),
    )
    op.create_index(op.f("ix_guideline_rules_shot_type_id"), "guideline_rules", ["shot_type_id"])


def _create_product_images() -> None:
    op.create_table(
        "product_images",
        _id(),
        _uuid("organization_id"),
        _uuid("product_id"),
        _uuid("media_id"),
        sa.Column(
            "type", _one_of("type", "primary", "back", "side", "detail", "other"), nullable=False
        ),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("created_at"),
        _refers("product_images", "media_id", "media"),
        _refers("product_images", "organization_id", "organizations", "CASCADE"),
        _refers("product_images", "product_id", "products", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_images")),
        sa.UniqueConstraint(
            "product_id", "media_id", name=op.f("uq_product_images_product_id_media_id")
        ),
    )
    op.create_index(op.f("ix_product_images_media_id"), "product_images", ["media_id"])
    op.create_index(
        op.f("ix_product_images_product_id_position"),
        "product_images",
        ["product_id", "position"],
    )


def _create_shootings() -> None:
    op.create_table(
        "shootings",
        _id(),
        _uuid("organization_id"),
        _uuid("brand_id"),
        _uuid("guideline_id", nullable=True),
        _text("name"),
        _text("description", nullable=True),
        _text("season", nullable=True),
        _text("collection", nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column(
            "phase",
            _one_of(
                "phase",
                "brief",
                "test_shooting",
                "products_selection",
                "agreement",
                "production",
                "closed",
            ),
            server_default="brief",
            nullable=False,
        ),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("shootings", "brand_id", "brands"),
        _refers("shootings", "guideline_id", "guidelines"),
        _refers("shootings", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shootings")),
    )
    op.create_index(op.f("ix_shootings_brand_id"), "shootings", ["brand_id"])
    op.create_index(op.f("ix_shootings_guideline_id"), "shootings", ["guideline_id"])
    op.create_index(
        op.f("ix_shootings_organization_id"),
        "shootings",
        ["organization_id", sa.literal_column("id DESC")],
    )


def _create_looks() -> None:
    op.create_table(
        "looks",
        _id(),
        _uuid("organization_id"),
        _uuid("shooting_id"),
        _text("name", nullable=True),
        _uuid("main_product_id"),
        _uuid("subject_id"),
        _uuid("style_id", nullable=True),
        _uuid("guideline_id", nullable=True),
        _uuid("resolution_preset_id", nullable=True),
        _uuid("background_preset_id", nullable=True),
        _text("outfit_instructions", nullable=True),
        sa.Column(
            "file_format",
            _one_of("file_format", "jpeg", "png", "webp"),
            server_default="jpeg",
            nullable=False,
        ),
        _time("created_at"),
        _time("updated_at"),
        _refers("looks", "background_preset_id", "background_presets"),
        _refers("looks", "guideline_id", "guidelines"),
        _refers("looks", "main_product_id", "products"),
        _refers("looks", "organization_id", "organizations", "CASCADE"),
        _refers("looks", "resolution_preset_id", "resolution_presets"),
        _refers("looks", "shooting_id", "shootings", "CASCADE"),
        _refers("looks", "style_id", "styles"),
        _refers("looks", "subject_id", "subjects"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_looks")),
    )
    op.create_index(op.f("ix_looks_background_preset_id"), "looks", ["background_preset_id"])
    op.create_index(op.f("ix_looks_guideline_id"), "looks", ["guideline_id"])
    op.create_index(op.f("ix_looks_main_product_id"), "looks", ["main_product_id"])
    op.create_index(
        op.f("ix_looks_organization_id"),
        "looks",
        ["organization_id", sa.literal_column("id DESC")],
    )
    op.create_index(op.f("ix_looks_resolution_preset_id"), "looks", ["resolution_preset_id"])
    op.create_index(op.f("ix_looks_shooting_id"), "looks", ["shooting_id"])
    op.create_index(op.f("ix_looks_style_id"), "looks", ["style_id"])
    op.create_index(op.f("ix_looks_subject_id"), "looks", ["subject_id"])


def _create_look_products() -> None:
    op.create_table(
        "look_products",
        _uuid("look_id"),
        _uuid("product_id"),
        _uuid("organization_id"),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _refers("look_products", "look_id", "looks", "CASCADE"),
        _refers("look_products", "organization_id", "organizations", "CASCADE"),
        _refers("look_products", "product_id", "products"),
        sa.PrimaryKeyConstraint("look_id", "product_id", name=op.f("pk_look_products")),
    )
    op.create_index(op.f("ix_look_products_organization_id"), "look_products", ["organization_id"])
    op.create_index(op.f("ix_look_products_product_id"), "look_products", ["product_id"])


def _create_shots() -> None:
    op.create_table(
        "shots",
        _id(),
        _uuid("organization_id"),
        _uuid("shooting_id"),
        _uuid("look_id"),
        _uuid("shot_type_id"),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "status",
            _one_of("status", "pending", "generating", "review", "approved", "rejected"),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _uuid("current_prediction_id", nullable=True),
        _time("created_at"),
        _time("updated_at"),
        sa.ForeignKeyConstraint(
            ["current_prediction_id"],
            ["predictions.id"],
            name=op.f("fk_shots_current_prediction_id_predictions"),
            ondelete="SET NULL",
            use_alter=True,
        ),
        _refers("shots", "look_id", "looks", "CASCADE"),
        _refers("shots", "organization_id", "organizations", "CASCADE"),
        _refers("shots", "shooting_id", "shootings", "CASCADE"),
        _refers("shots", "shot_type_id", "shot_types"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shots")),
        sa.UniqueConstraint("look_id", "shot_type_id", name=op.f("uq_shots_look_id_shot_type_id")),
    )
    op.create_index(op.f("ix_shots_current_prediction_id"), "shots", ["current_prediction_id"])
    op.create_index(
        op.f("ix_shots_organization_id"),
        "shots",
        ["organization_id", sa.literal_column("id DESC")],
    )
    op.create_index(op.f("ix_shots_shooting_id_status"), "shots", ["shooting_id", "status"])
    op.create_index(op.f("ix_shots_shot_type_id"), "shots", ["shot_type_id"])


def _create_generations() -> None:
    op.create_table(
        "generations",
        _id(),
        _uuid("organization_id"),
        _uuid("shot_id"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("type", _one_of("type", "base", "agentic"), nullable=False),
        sa.Column(
            "status",
            _one_of("status", "pending", "running", "completed", "failed", "cancelled"),
            server_default="pending",
            nullable=False,
        ),
        _text("model"),
        _text("prompt"),
        _text("negative_prompt"),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("num_predictions", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("min_confidence_score", sa.REAL(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("recipe", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "images",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        _uuid("reproduces_id", nullable=True),
        sa.Column("credits_charged", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _text("error", nullable=True),
        _text("error_code", nullable=True),
        _uuid("requested_by", nullable=True),
        _time("created_at"),
        _time("updated_at"),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_predictions > 0 AND max_attempts > 0", name=op.f("ck_generations_counts")
        ),
        _refers("generations", "organization_id", "organizations", "CASCADE"),
        _refers("generations", "reproduces_id", "generations", "SET NULL"),
        _refers("generations", "requested_by", "users", "SET NULL"),
        _refers("generations", "shot_id", "shots", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    op.create_index(
        op.f("ix_generations_organization_id"),
        "generations",
        ["organization_id", sa.literal_column("id DESC")],
    )
    op.create_index(op.f("ix_generations_reproduces_id"), "generations", ["reproduces_id"])
    op.create_index(
        op.f("ix_generations_shot_id"),
        "generations",
        ["shot_id", sa.literal_column("id DESC")],
    )


def _create_shot_comments() -> None:
    op.create_table(
        "shot_comments",
        _id(),
        _uuid("organization_id"),
        _uuid("shot_id"),
        _uuid("prediction_id", nullable=True),
        _uuid("author_id", nullable=True),
        _text("text"),
        sa.Column("x", sa.REAL(), nullable=True),
        sa.Column("y", sa.REAL(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint("(x IS NULL) = (y IS NULL)", name=op.f("ck_shot_comments_point")),
        sa.CheckConstraint(
            "x BETWEEN 0 AND 1 AND y BETWEEN 0 AND 1", name=op.f("ck_shot_comments_inside")
        ),
        _refers("shot_comments", "author_id", "users", "SET NULL"),
        _refers("shot_comments", "organization_id", "organizations", "CASCADE"),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["predictions.id"],
            name=op.f("fk_shot_comments_prediction_id_predictions"),
            ondelete="CASCADE",
            use_alter=True,
        ),
        _refers("shot_comments", "shot_id", "shots", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shot_comments")),
    )
    op.create_index(op.f("ix_shot_comments_organization_id"), "shot_comments", ["organization_id"])
    op.create_index(op.f("ix_shot_comments_prediction_id"), "shot_comments", ["prediction_id"])
    op.create_index(op.f("ix_shot_comments_shot_id_id"), "shot_comments", ["shot_id", "id"])


def _create_shot_revisions() -> None:
    op.create_table(
        "shot_revisions",
        _id(),
        _uuid("organization_id"),
        _uuid("shot_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            _one_of("status", "pending", "generating", "review", "approved", "rejected"),
            server_default="pending",
            nullable=False,
        ),
        _text("notes", nullable=True),
        _text("reason", nullable=True),
        _text("decision_notes", nullable=True),
        _uuid("prediction_id", nullable=True),
        _uuid("decided_by", nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_shot_revisions_number")),
        _refers("shot_revisions", "decided_by", "users", "SET NULL"),
        _refers("shot_revisions", "organization_id", "organizations", "CASCADE"),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["predictions.id"],
            name=op.f("fk_shot_revisions_prediction_id_predictions"),
            ondelete="SET NULL",
            use_alter=True,
        ),
        _refers("shot_revisions", "shot_id", "shots", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shot_revisions")),
        sa.UniqueConstraint("shot_id", "number", name=op.f("uq_shot_revisions_shot_id_number")),
    )
    op.create_index(
        op.f("ix_shot_revisions_organization_id"),
        "shot_revisions",
        ["organization_id"],
    )
    op.create_index(op.f("ix_shot_revisions_prediction_id"), "shot_revisions", ["prediction_id"])


def _create_credit_entries() -> None:
    op.create_table(
        "credit_entries",
        _id(),
        _uuid("organization_id"),
        _uuid("generation_id", nullable=True),
        sa.Column(
            "reason", _one_of("reason", "generation", "refund", "renewal", "grant"), nullable=False
        ),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("balance", sa.Integer(), nullable=False),
        _time("created_at"),
        _refers("credit_entries", "generation_id", "generations", "SET NULL"),
        _refers("credit_entries", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entries")),
    )
    op.create_index(op.f("ix_credit_entries_generation_id"), "credit_entries", ["generation_id"])
    op.create_index(
        op.f("ix_credit_entries_organization_id"),
        "credit_entries",
        ["organization_id", sa.literal_column("id DESC")],
    )


def _create_exports() -> None:
    op.create_table(
        "exports",
        _id(),
        _uuid("organization_id"),
        _uuid("shooting_id"),
        sa.Column("task_id", sa.Text(collation="C"), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("prediction_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        _uuid("requested_by", nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("exports", "organization_id", "organizations", "CASCADE"),
        _refers("exports", "requested_by", "users", "SET NULL"),
        _refers("exports", "shooting_id", "shootings", "CASCADE"),
        _refers("exports", "task_id", "tasks", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_index(
        op.f("ix_exports_organization_id"),
        "exports",
        ["organization_id", sa.literal_column("id DESC")],
    )
    op.create_index(op.f("ix_exports_shooting_id"), "exports", ["shooting_id"])
    op.create_index(op.f("ix_exports_task_id"), "exports", ["task_id"], unique=True)


def _create_generation_inputs() -> None:
    op.create_table(
        "generation_inputs",
        _uuid("generation_id"),
        _uuid("media_id"),
        _uuid("organization_id"),
        _refers("generation_inputs", "generation_id", "generations", "CASCADE"),
        _refers("generation_inputs", "media_id", "media"),
        _refers("generation_inputs", "organization_id", "organizations", "CASCADE"),
        sa.PrimaryKeyConstraint("generation_id", "media_id", name=op.f("pk_generation_inputs")),
    )
    for column in ("media_id", "organization_id"):
        name = op.f(f"ix_generation_inputs_{column}")
        op.create_index(name, "generation_inputs", [column])


def _create_generation_steps() -> None:
    op.create_table(
        "generation_steps",
        sa.Column("task_id", sa.Text(collation="C"), nullable=False),
        _uuid("organization_id"),
        _uuid("generation_id"),
        sa.Column(
            "kind", _one_of("kind", "generate", "evaluate", "upscale", "background"), nullable=False
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("projected_at", sa.DateTime(timezone=True), nullable=True),
        _time("created_at"),
        _refers("generation_steps", "generation_id", "generations", "CASCADE"),
        _refers("generation_steps", "organization_id", "organizations", "CASCADE"),
        _refers("generation_steps", "task_id", "tasks", "CASCADE"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_generation_steps")),
        sa.UniqueConstraint(
            "generation_id",
            "kind",
            "attempt",
            "index",
            name=op.f("uq_generation_steps_generation_id_kind_attempt_index"),
        ),
    )
    op.create_index(
        op.f("ix_generation_steps_generation_id"),
        "generation_steps",
        ["generation_id"],
    )
    op.create_index(
        "ix_generation_steps_open",
        "generation_steps",
        ["created_at"],
        postgresql_where=sa.text("projected_at IS NULL"),
    )
    op.create_index(
        op.f("ix_generation_steps_organization_id"),
        "generation_steps",
        ["organization_id"],
    )


def _create_predictions() -> None:
    op.create_table(
        "predictions",
        _id(),
        _uuid("organization_id"),
        _uuid("generation_id"),
        _uuid("shot_id"),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            _one_of("status", "review", "approved", "rejected", "exported"),
            server_default="review",
            nullable=False,
        ),
        _text("path"),
        _text("content_type"),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        _text("sha256"),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("scores", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        _refers("predictions", "generation_id", "generations", "CASCADE"),
        _refers("predictions", "organization_id", "organizations", "CASCADE"),
        _refers("predictions", "shot_id", "shots", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
        sa.UniqueConstraint(
            "generation_id", "index", name=op.f("uq_predictions_generation_id_index")
        ),
    )
    op.create_index(
        op.f("ix_predictions_organization_id"),
        "predictions",
        ["organization_id", sa.literal_column("id DESC")],
    )
    op.create_index(
        op.f("ix_predictions_shot_id"),
        "predictions",
        ["shot_id", sa.literal_column("id DESC")],
    )


def _refer_back() -> None:
    for table, column, ondelete in _BACK:
        name = op.f(f"fk_{table}_{column}_predictions")
        op.create_foreign_key(name, table, "predictions", [column], ["id"], ondelete=ondelete)
