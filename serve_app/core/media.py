"""Pictures of the studio: each is kept once, for as long as something refers to it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, Field

from db.ids import uuid7
from db.models import Media
from db.repositories.media import MediaWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.core.auth import Scope
from serve_app.core.dependencies import RequestResources, Sign
from serve_app.core.pictures import Picture, prepare
from serve_app.core.resources import Resources


class PictureRead(BaseModel):
    """A stored picture: upright, sRGB, without metadata."""

    url: str = Field(description="Fetchable without a header until it expires.")
    thumbnail_url: str = Field(
        description="A WebP whose longer side has at most 512 pixels; fetchable like `url`."
    )
    content_type: str = Field(examples=["image/jpeg"])
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    size: int = Field(description="Bytes.")
    dominant_color: str = Field(
        description="Of what is not background, as `#rrggbb`.", examples=["#b4532a"]
    )


async def picture_fields(media: Media, sign: Sign) -> dict[str, Any]:
    """The fields of :class:`PictureRead`, also for classes that add to them."""
    return {
        "url": await sign(media.path),
        "thumbnail_url": await sign(media.thumbnail_path),
        "content_type": media.content_type,
        "width": media.width,
        "height": media.height,
        "size": media.size,
        "dominant_color": media.dominant_color,
    }


class MediaLibrary:
    """An organization's pictures, rows and objects.

    Paths hold the id of the row, so the objects of a picture that goes are never those of a twin
    that comes.
    """

    def __init__(self, resources: Resources, scope: OrganizationScope) -> None:
        self._resources = resources
        self._scope = scope

    async def take(self, data: bytes) -> Picture:
        """Check a picture and make ready what will be stored; nothing is, yet. Call it before the
        transaction's first statement: it takes a while.

        Raises:
            InvalidImage: it is none, or not one the platform can work with.
        """
        return await asyncio.to_thread(prepare, data, self._resources.settings.media)

    async def keep(self, session: WriteSession, picture: Picture) -> Media:
        """The row of a picture; its objects are stored if there was none, and removed again if the
        transaction comes to nothing."""
        media_id = uuid7()
        folder = f"media/{self._scope.organization_id.hex}/{media_id.hex}"
        media, is_new = await MediaWriter(session, self._scope).keep(
            id=media_id,
            sha256=picture.sha256,
            path=f"{folder}/file.{picture.suffix}",
            thumbnail_path=f"{folder}/thumbnail.webp",
            content_type=picture.content_type,
            width=picture.width,
            height=picture.height,
            size=len(picture.data),
            dominant_color=picture.dominant_color,
        )
        if is_new:
            store = self._resources.store
            session.after_rollback(partial(self._remove, [media.path, media.thumbnail_path]))
            await store.put(media.path, picture.data, picture.content_type)
            await store.put(media.thumbnail_path, picture.thumbnail)
        return media

    async def release(self, session: WriteSession, media_ids: Collection[UUID]) -> None:
        """Something no longer refers to these pictures: those that nothing refers to go, their
        objects after the commit."""
        paths = await MediaWriter(session, self._scope).release(media_ids)
        if paths:
            session.after_commit(partial(self._remove, paths))

    async def _remove(self, paths: Collection[str]) -> None:
        for path in paths:
            await self._resources.store.delete(path)


async def _library(resources: RequestResources, scope: Scope) -> MediaLibrary:
    return MediaLibrary(resources, scope)


Library = Annotated[MediaLibrary, Depends(_library)]
