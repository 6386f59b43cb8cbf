"""Looks: made with their shots, changed, removed while they have no images."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from db.models import Look, Shot
from db.repositories.looks import LookWriter
from db.repositories.scope import OrganizationScope
from db.repositories.shootings import ShootingRepository
from db.repositories.shots import ShotWriter
from db.session import WriteSession
from serve_app.backend.looks.schemas import LookOfShootingCreate, LookUpdate
from serve_app.core.errors import UnprocessableField
from serve_app.core.references import check_references
from serve_app.core.rows import InUse, found, refusals
from serve_app.core.versions import Versions, newest

_LISTS = {"shot_type_ids", "product_ids"}


async def create(
    session: WriteSession, scope: OrganizationScope, shooting_id: UUID, body: LookOfShootingCreate
) -> Look:
    """Make a look with one shot for each shot type.

    Raises:
        NotFound: the shooting, or what the look names, is not there.
        UnprocessableField: the main product is among the further ones.
    """
    found(await ShootingRepository(session, scope).get(shooting_id), "Shooting")
    _check_products(body.main_product_id, body.product_ids)
    values = body.model_dump(exclude={"shooting_id"})
    await check_references(session, scope, values)
    columns = {name: value for name, value in values.items() if name not in _LISTS}
    looks = LookWriter(session, scope)
    with refusals("This look"):
        look = await looks.add(shooting_id=shooting_id, **columns)
        await looks.set_products(look.id, body.product_ids)
        await ShotWriter(session, scope).add_to(look, _positions(body.shot_type_ids))
        return found(await looks.get(look.id), "Look")


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    look_id: UUID,
    body: LookUpdate,
    versions: Versions,
) -> Look:
    """Change a look, its further products and its shots.

    Raises:
        NotFound: there is none with this id, or what it should refer to is not there.
        UnprocessableField: the main product is among the further ones.
        InUse: a shot that should go has images.
        PreconditionFailed: the client knows an older version.
    """
    looks, shots = LookWriter(session, scope), ShotWriter(session, scope)
    found(await looks.lock(look_id), "Look")
    present = await shots.lock_of(look_id=look_id)
    look = found(await looks.get(look_id), "Look")
    versions.change(newest(look, *present))
    changes = body.changes()
    await check_references(session, scope, changes)
    products = changes.get("product_ids", [one.product_id for one in look.products])
    _check_products(changes.get("main_product_id", look.main_product_id), products)
    with refusals("This look"):
        if body.product_ids is not None:
            await looks.set_products(look.id, body.product_ids)
        if body.shot_type_ids is not None:
            await _set_shots(shots, look, present, _positions(body.shot_type_ids))
        columns = {name: value for name, value in changes.items() if name not in _LISTS}
        return await looks.change(look, columns)


async def delete(session: WriteSession, scope: OrganizationScope, look_id: UUID) -> None:
    """Remove a look with its shots.

    Raises:
        NotFound: there is none with this id.
        InUse: one of its shots has images.
    """
    looks, shots = LookWriter(session, scope), ShotWriter(session, scope)
    look = found(await looks.lock(look_id), "Look")
    if await shots.any_has_images(await shots.lock_of(look_id=look.id)):
        raise InUse("This look has shots with images and cannot be removed")
    await looks.delete(look)


async def _set_shots(
    shots: ShotWriter, look: Look, present: Sequence[Shot], positions: dict[UUID, int]
) -> None:
    gone = [shot for shot in present if shot.shot_type_id not in positions]
    if await shots.any_has_images(gone):
        raise InUse("A shot with images cannot be removed: keep its shot type in shot_type_ids")
    await shots.delete_all(gone)
    for shot in present:
        if shot not in gone and shot.position != positions[shot.shot_type_id]:
            await shots.change(shot, {"position": positions[shot.shot_type_id]})
    known = {shot.shot_type_id for shot in present}
    await shots.add_to(look, {one: n for one, n in positions.items() if one not in known})


def _positions(shot_type_ids: Sequence[UUID]) -> dict[UUID, int]:
    return {shot_type_id: position for position, shot_type_id in enumerate(shot_type_ids)}


def _check_products(main: UUID, further: Collection[UUID]) -> None:
    if main in further:
        loc = ("body", "product_ids")
        raise UnprocessableField("The main product is no further product", loc)
