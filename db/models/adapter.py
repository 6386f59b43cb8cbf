"""Adapters: LoRA weights that were trained here or uploaded, versioned by name."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, OrganizationKey, UuidKey, text_enum


class EntityType(StrEnum):
    """What an adapter shows."""

    SUBJECT = "subject"
    PRODUCT = "product"
    STYLE = "style"


class AdapterSource(StrEnum):
    """Where an adapter comes from."""

    TRAINED = "trained"
    UPLOADED = "uploaded"


class Adapter(Base):
    """One version of an adapter: a safetensors file in storage, which never changes."""

    __tablename__ = "adapters"
    __table_args__ = (
        UniqueConstraint("organization_id", "name", "version"),
        CheckConstraint("version > 0 AND rank > 0 AND size > 0", name="numbers"),
        Index(None, "organization_id", text("id DESC")),
        # A training makes one.
        Index(None, "task_id", unique=True),
    )

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    name: Mapped[str]
    # From 1, per name; see `AdapterName`.
    version: Mapped[int]
    source: Mapped[AdapterSource] = mapped_column(text_enum(AdapterSource, "source"))
    entity_type: Mapped[EntityType] = mapped_column(text_enum(EntityType, "entity_type"))
    # Catalog entry and family that it was made for; the hash of the entry's weights, where known.
    base_model: Mapped[str]
    base_model_hash: Mapped[str | None]
    family: Mapped[str]
    # Largest of its layers'.
    rank: Mapped[int]
    # Makes what it shows appear in a prompt.
    trigger_word: Mapped[str | None]
    path: Mapped[str]
    # Bytes.
    size: Mapped[int] = mapped_column(BigInteger)
    # Of the stored file, hexadecimal.
    sha256: Mapped[str]
    # What the file says about itself in its header, and what its training found out.
    facts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    # The training that made it.
    task_id: Mapped[str | None] = mapped_column(
        Text(collation="C"), ForeignKey("tasks.id", ondelete="SET NULL")
    )
    created_at: Mapped[CreatedAt]


class AdapterName(Base):
    """How many versions of a name there have been: a number is given once, also after its version
    is deleted, and two that are made at once wait for each other here."""

    __tablename__ = "adapter_names"

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    versions: Mapped[int] = mapped_column(server_default=text("1"))
