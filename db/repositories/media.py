"""The studio's pictures: kept once, and removed with what last referred to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Column, and_, delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from db.models import Base, Media
from db.repositories.scope import OrganizationScope
from db.session import ReadSession, WriteSession

# An insert that finds a twin which is gone when it looks again; each time another request removed
# the last use of the same picture in between.
_ATTEMPTS = 20


class MediaRepository:
    """An organization's pictures."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def get(self, media_id: UUID) -> Media | None:
        """The picture with this id."""
        return await self._session.scalar(
            select(Media).where(
                Media.id == media_id, Media.organization_id == self._scope.organization_id
            )
        )


class MediaWriter(MediaRepository):
    """An organization's pictures, and changes of them."""

    def __init__(self, session: WriteSession, scope: OrganizationScope) -> None:
        super().__init__(session, scope)
        self._session: WriteSession = session

    async def keep(self, **values: Any) -> tuple[Media, bool]:
        """The row of a picture, by its ``sha256``, and whether it is new.

        A row that was there stays until this transaction ends. A twin of another transaction is
        waited for.
        """
        new = (
            insert(Media)
            .values(organization_id=self._scope.organization_id, **values)
            .on_conflict_do_nothing(index_elements=["organization_id", "sha256"])
            .returning(Media)
        )
        old = (
            select(Media)
            .where(
                Media.organization_id == self._scope.organization_id,
                Media.sha256 == values["sha256"],
            )
            .with_for_update(read=True, key_share=True)
        )
        for _ in range(_ATTEMPTS):
            if (row := await self._session.scalar(new)) is not None:
                return row, True
            if (row := await self._session.scalar(old)) is not None:
                return row, False
        raise AssertionError("a picture came and went too often")

    async def release(self, media_ids: Collection[UUID]) -> Sequence[str]:
        """Remove those of the pictures that nothing refers to; returns the paths of their objects,
        which are to be removed after the commit."""
        if not media_ids:
            return []
        # The locks come first, so that the second statement sees every reference: a transaction
        # that adds one holds a lock of its own until it ends.
        locked = await self._session.scalars(
            select(Media.id)
            .where(Media.id.in_(media_ids), Media.organization_id == self._scope.organization_id)
            .order_by(Media.id)
            .with_for_update()
        )
        gone = await self._session.execute(
            delete(Media)
            .where(
                Media.id.in_(locked.all()),
                and_(*(~exists().where(column == Media.id) for column in _references())),
            )
            .returning(Media.path, Media.thumbnail_path)
            .execution_options(synchronize_session=False)
        )
        return [path for row in gone for path in row]


@cache
def _references() -> Sequence[Column[Any]]:
    """Every column that refers to a picture."""
    return [
        key.parent
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column is Media.__table__.c.id
    ]
