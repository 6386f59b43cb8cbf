"""Subjects, and the pictures of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update

from db.models import Subject, SubjectImage
from db.repositories.children import MEDIA, Children
from db.repositories.images import ImageWriter
from db.repositories.scoped import ScopedRepository, ScopedWriter


class SubjectRepository(ScopedRepository[Subject]):
    """An organization's subjects."""

    model = Subject
    searched = (Subject.name, Subject.description)
    sorts = {  # noqa: RUF012
        "name": Subject.name,
        "created_at": Subject.created_at,
        "updated_at": Subject.updated_at,
    }
    children = (
        Children(
            Subject.images, SubjectImage.subject_id, further=(MEDIA,), joined=SubjectImage.media
        ),
    )


class SubjectWriter(SubjectRepository, ScopedWriter[Subject]):
    """Subjects, and changes of them."""


class SubjectImageWriter(ImageWriter[SubjectImage]):
    """The pictures of a locked subject: at most one is its cover, and at most one the base image
    of a shot type."""

    model = SubjectImage
    owner = "subject_id"

    async def _make_room(self, values: Mapping[str, Any]) -> None:
        images = update(SubjectImage).where(self._is_owned())
        if values.get("is_cover"):
            await self._session.execute(images.where(SubjectImage.is_cover).values(is_cover=False))
        if (shot_type_id := values.get("shot_type_id")) is not None:
            await self._session.execute(
                images.where(SubjectImage.shot_type_id == shot_type_id).values(shot_type_id=None)
            )
