"""Shots, their revisions, and comments about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import joinedload

from db.models import (
    Look,
    LookProduct,
    Prediction,
    Shot,
    ShotComment,
    ShotRevision,
    ShotStatus,
)
from db.repositories.children import Children
from db.repositories.scope import Page
from db.repositories.scoped import ScopedRepository, ScopedWriter


class ShotRepository(ScopedRepository[Shot]):
    """An organization's shots, each with its shot type, current image and revisions."""

    model = Shot
    sorts = {  # noqa: RUF012
        "position": Shot.position,
        "created_at": Shot.created_at,
        "updated_at": Shot.updated_at,
    }
    loads = (
        joinedload(Shot.shot_type),
        joinedload(Shot.current_prediction).load_only(Prediction.path, raiseload=True),
    )
    children = (Children(Shot.revisions, ShotRevision.shot_id),)

    async def list(self, *, product_id: UUID | None = None, **filters: Any) -> Page[Shot]:
        """As every list; ``product_id``: of looks with this product, as main one or further one."""
        where = () if product_id is None else (Shot.look_id.in_(_looks_with(product_id)),)
        return await super().list(where=where, **filters)


def _looks_with(product_id: UUID) -> Any:
    main = select(Look.id).where(Look.main_product_id == product_id)
    return main.union_all(select(LookProduct.look_id).where(LookProduct.product_id == product_id))


class ShotWriter(ShotRepository, ScopedWriter[Shot]):
    """Shots, and changes of them.

    Whoever changes a shot, its revisions or its predictions locks the shot first.
    """

    async def add_to(self, look: Look, shot_type_ids: Mapping[UUID, int]) -> None:
        """One shot with its first revision for each shot type, at the given positions."""
        organization_id = self._scope.organization_id
        shots = [
            Shot(
                organization_id=organization_id,
                shooting_id=look.shooting_id,
                look_id=look.id,
                shot_type_id=shot_type_id,
                position=position,
            )
            for shot_type_id, position in shot_type_ids.items()
        ]
        self._session.add_all(shots)
        await self._session.flush()
        for shot in shots:
            await self.begin_revision(shot, 1)

    async def begin_revision(self, shot: Shot, number: int, notes: str | None = None) -> None:
        """A new round; ``notes``: what it is to change."""
        revision = ShotRevision(
            organization_id=self._scope.organization_id,
            shot_id=shot.id,
            number=number,
            notes=notes,
        )
        self._session.add(revision)
        await self._session.flush()

    async def move(
        self, shot: Shot, status: ShotStatus, decision: Mapping[str, Any], **values: Any
    ) -> Shot:
        """Shot and current revision in another state.

        Args:
            shot: locked.
            status: of both.
            decision: further values of the revision.
            values: further values of the shot.
        """
        await self._session.execute(
            update(ShotRevision)
            .where(ShotRevision.shot_id == shot.id, ShotRevision.number == shot.revision)
            .values(status=status, **decision)
        )
        return await self.change(shot, {"status": status, **values})

    async def lock_of(
        self, *, shooting_id: UUID | None = None, look_id: UUID | None = None
    ) -> Sequence[Shot]:
        """All shots of a shooting or a look, locked."""
        of = Shot.look_id == look_id if look_id else Shot.shooting_id == shooting_id
        shots = await self._session.scalars(
            select(Shot)
            .where(of, Shot.organization_id == self._scope.organization_id)
            .order_by(Shot.id)
            .with_for_update(),
            execution_options={"populate_existing": True},
        )
        return shots.all()

    async def any_has_images(self, shots: Collection[Shot]) -> bool:
        """Whether one of them has images, or is getting some."""
        has_images = exists().where(Prediction.shot_id == Shot.id)
        found = await self._session.scalar(
            select(Shot.id)
            .where(
                Shot.id.in_([shot.id for shot in shots]),
                or_(Shot.status == ShotStatus.GENERATING, has_images),
            )
            .limit(1)
        )
        return found is not None

    async def touch_look(self, shot: Shot) -> None:
        """A new version of the shot's look, which shows one shot less."""
        await self._session.execute(
            update(Look).where(Look.id == shot.look_id).values(updated_at=func.clock_timestamp())
        )

    async def delete_all(self, shots: Collection[Shot]) -> None:
        """Remove shots with all that belongs to them."""
        await self._session.execute(delete(Shot).where(Shot.id.in_([shot.id for shot in shots])))


class ShotCommentRepository(ScopedRepository[ShotComment]):
    """What an organization's reviewers say about its shots."""

    model = ShotComment
    searched = (ShotComment.text,)
    sorts = {  # noqa: RUF012
        "created_at": ShotComment.created_at,
        "updated_at": ShotComment.updated_at,
    }

    async def list(self, *, resolved: bool | None = None, **filters: Any) -> Page[ShotComment]:
        """As every list; ``resolved``: only those that are, or are not."""
        is_set = ShotComment.resolved_at.is_not(None)
        where = () if resolved is None else (is_set if resolved else ~is_set,)
        return await super().list(where=where, **filters)


class ShotCommentWriter(ShotCommentRepository, ScopedWriter[ShotComment]):
    """Comments, and changes of them."""
