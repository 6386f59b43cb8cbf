"""Pictures that the studio keeps, by their content."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from db.models.base import Base, CreatedAt, OrganizationKey, UuidKey


class Media(Base):
    """One stored picture, upright and without metadata; the same file twice is one row.

    Whatever shows it refers to this row; when nothing does any more, row and objects go.
    """

    __tablename__ = "media"
    __table_args__ = (UniqueConstraint("organization_id", "sha256"),)

    id: Mapped[UuidKey]
    organization_id: Mapped[OrganizationKey]
    # Of the stored file, hexadecimal.
    sha256: Mapped[str]
    path: Mapped[str]
    thumbnail_path: Mapped[str]
    content_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    # Bytes.
    size: Mapped[int]
    # ``#rrggbb`` of what is not background.
    dominant_color: Mapped[str]
    created_at: Mapped[CreatedAt]
