"""Shootings with their looks and shots, without the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from db.models import Brand, Look, Shooting
from db.repositories import OrganizationScope
from db.repositories.brands import BrandWriter
from db.repositories.looks import LookRepository, LookWriter
from db.repositories.shootings import ShootingWriter
from db.repositories.shots import ShotWriter
from db.session import Database
from tests.factories.presets import standard_shot_types
from tests.factories.products import make_product
from tests.factories.subjects import make_subject


async def make_brand(database: Database, scope: OrganizationScope, **changes: Any) -> Brand:
    async with database.write() as session:
        return await BrandWriter(session, scope).add(**{"name": "Atelier Nord"} | changes)


async def make_shooting(database: Database, scope: OrganizationScope, **changes: Any) -> Shooting:
    """Of a new brand unless ``changes`` name one."""
    values: dict[str, Any] = {"name": "Summer Collection 2024"} | changes
    if "brand_id" not in values:
        values["brand_id"] = (await make_brand(database, scope)).id
    async with database.write() as session:
        return await ShootingWriter(session, scope).add(**values)


async def make_look(
    database: Database,
    scope: OrganizationScope,
    *,
    shot_type_ids: Sequence[UUID] | None = None,
    product_ids: Sequence[UUID] = (),
    **changes: Any,
) -> Look:
    """A look with its shots loaded, of a shooting, a product and a subject that are new unless
    ``changes`` name some; of two standard shot types unless others are named."""
    values = dict(changes)
    if "shooting_id" not in values:
        values["shooting_id"] = (await make_shooting(database, scope)).id
    if "main_product_id" not in values:
        values["main_product_id"] = (await make_product(database, scope)).id
    if "subject_id" not in values:
        values["subject_id"] = (await make_subject(database, scope)).id
    if shot_type_ids is None:
        shot_type_ids = [one.id for one in (await standard_shot_types(database))[:2]]
    async with database.write() as session:
        looks = LookWriter(session, scope)
        look = await looks.add(**values)
        await looks.set_products(look.id, product_ids)
        positions = {one: position for position, one in enumerate(shot_type_ids)}
        await ShotWriter(session, scope).add_to(look, positions)
    async with database.read() as session:
        made = await LookRepository(session, scope).get(look.id)
    assert made is not None
    return made
