"""What the pictures of products and of subjects have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import joinedload

from db.models import Base, Media
from db.repositories.scope import OrganizationScope
from db.session import WriteSession

ImageT = TypeVar("ImageT", bound=Base)


class ImageWriter(Generic[ImageT]):
    """The pictures of one resource, which the caller holds locked.

    Attributes:
        model: the table of the pictures.
        owner: name of its column that refers to the resource.
    """

    model: ClassVar[type[Any]]
    owner: ClassVar[str]

    def __init__(self, session: WriteSession, scope: OrganizationScope, owner_id: UUID) -> None:
        self._session = session
        self._scope = scope
        self._owner_id = owner_id

    async def get(self, image_id: UUID) -> ImageT | None:
        """One picture, with its media."""
        return await self._one(self.model.id == image_id)

    async def showing(self, media: Media) -> ImageT | None:
        """The picture that shows this."""
        return await self._one(self.model.media_id == media.id)

    async def add(self, media: Media, **values: Any) -> ImageT:
        """A new picture, behind the others.

        Raises:
            sqlalchemy.exc.IntegrityError: the resource has this picture already.
        """
        await self._make_room(values)
        last = await self._session.scalar(
            select(func.max(self.model.position)).where(self._is_owned())
        )
        image = self.model(
            organization_id=self._scope.organization_id,
            media_id=media.id,
            position=0 if last is None else last + 1,
            **{self.owner: self._owner_id},
            **values,
        )
        self._session.add(image)
        await self._session.flush()
        return await self._reload(image)

    async def change(self, image: ImageT, values: Mapping[str, Any]) -> ImageT:
        """The picture with new values."""
        await self._make_room(values)
        for name, value in values.items():
            setattr(image, name, value)
        await self._session.flush()
        return await self._reload(image)

    async def remove(self, image: ImageT) -> None:
        """Remove the picture."""
        await self._session.delete(image)
        await self._session.flush()

    async def media_ids(self) -> Sequence[UUID]:
        """What the pictures show."""
        query = select(self.model.media_id).where(self._is_owned())
        return (await self._session.scalars(query)).all()

    async def _make_room(self, values: Mapping[str, Any]) -> None:
        """Take from the other pictures what only one may have and ``values`` claim."""

    def _is_owned(self) -> ColumnElement[bool]:
        owned: ColumnElement[bool] = getattr(self.model, self.owner) == self._owner_id
        return owned

    async def _one(self, condition: Any) -> ImageT | None:
        image: ImageT | None = await self._session.scalar(
            select(self.model)
            .where(self._is_owned(), condition)
            .options(joinedload(self.model.media)),
            execution_options={"populate_existing": True},
        )
        return image

    async def _reload(self, image: Any) -> ImageT:
        found = await self.get(image.id)
        assert found is not None
        return found
