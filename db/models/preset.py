"""Presets: what a shot shows, before what, how large. Rows without an organization are public."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, CreatedAt, UpdatedAt, UuidKey, text_enum
from db.models.media import Media

# NULL: a standard one, from ``configs/presets/``, that everybody sees and nobody changes.
OwnerKey = Annotated[UUID | None, mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))]


class Framing(StrEnum):
    """How much of the person is in the picture."""

    FULL_BODY = "full_body"
    UPPER_BODY = "upper_body"
    LOWER_BODY = "lower_body"
    # Head to mid-thigh.
    UPPER_THREE_QUARTERS = "upper_three_quarters"
    # Mid-torso to feet.
    LOWER_THREE_QUARTERS = "lower_three_quarters"
    DETAIL = "detail"


class View(StrEnum):
    """From where the camera looks."""

    FRONT = "front"
    BACK = "back"
    SIDE = "side"


class BackgroundType(StrEnum):
    """Where a background comes from."""

    # Put behind the cut-out.
    COLOR = "color"
    IMAGE = "image"
    # Generated with the picture.
    PROMPT = "prompt"


class Preset:
    """What all presets have."""

    organization_id: Mapped[OwnerKey]

    @hybrid_property
    def is_standard(self) -> bool:
        """Whether it is everybody's."""
        return self.organization_id is None

    @is_standard.inplace.expression
    @classmethod
    def _is_standard(cls) -> ColumnElement[bool]:
        return cls.organization_id.is_(None)


class ShotType(Preset, Base):
    """Framing and view of a shot."""

    __tablename__ = "shot_types"
    __table_args__ = (Index(None, "organization_id", "position"),)

    id: Mapped[UuidKey]
    name: Mapped[str]
    framing: Mapped[Framing] = mapped_column(text_enum(Framing, "framing"))
    view: Mapped[View] = mapped_column(text_enum(View, "view"))
    # What the prompt says of it.
    prompt: Mapped[str | None]
    position: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class BackgroundPreset(Preset, Base):
    """What is behind the person."""

    __tablename__ = "background_presets"
    __table_args__ = (
        Index(None, "organization_id", "position"),
        Index(None, "media_id"),
        CheckConstraint(
            "(type = 'color') = (color IS NOT NULL)"
            " AND (type = 'image') = (media_id IS NOT NULL)"
            " AND (type = 'prompt') = (prompt IS NOT NULL)",
            name="value_of_its_type",
        ),
    )

    id: Mapped[UuidKey]
    name: Mapped[str]
    type: Mapped[BackgroundType] = mapped_column(text_enum(BackgroundType, "type"))
    # ``#rrggbb``.
    color: Mapped[str | None]
    media_id: Mapped[UUID | None] = mapped_column(ForeignKey("media.id"))
    prompt: Mapped[str | None]
    position: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    media: Mapped[Media | None] = relationship(lazy="raise", viewonly=True)


class ResolutionPreset(Preset, Base):
    """Size of a deliverable, in pixels."""

    __tablename__ = "resolution_presets"
    __table_args__ = (
        Index(None, "organization_id", "position"),
        CheckConstraint("width > 0 AND height > 0", name="size"),
    )

    id: Mapped[UuidKey]
    name: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    position: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
