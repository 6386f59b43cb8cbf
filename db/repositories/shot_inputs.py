"""Everything that a shot's images are made from, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from db.models import (
    Adapter,
    BackgroundPreset,
    Base,
    Guideline,
    GuidelineRule,
    Look,
    LookProduct,
    Product,
    ProductImage,
    ResolutionPreset,
    Shooting,
    Shot,
    ShotType,
    Style,
    Subject,
)
from db.session import ReadSession

RowT = TypeVar("RowT", bound=Base)


@dataclass(frozen=True, slots=True)
class ShotInputs:
    """A shot with its look and all that the look names.

    ``product`` has its images with their media, ``background`` its own; ``rule`` is that of the
    guidelines for this shot's type; ``adapters`` are those of subject, products and style, by id.
    """

    shot: Shot
    look: Look
    shot_type: ShotType
    product: Product
    further_products: list[Product]
    subject: Subject
    style: Style | None
    guideline: Guideline | None
    rule: GuidelineRule | None
    background: BackgroundPreset | None
    resolution: ResolutionPreset | None
    adapters: Mapping[UUID, Adapter]


async def load_shot_inputs(session: ReadSession, shot: Shot) -> ShotInputs:
    """What the images of ``shot`` are made from; the shot itself says whose they are."""
    look = await _one(session, Look, shot.look_id)
    shooting = await _one(session, Shooting, shot.shooting_id)
    guideline = await _maybe(session, Guideline, look.guideline_id or shooting.guideline_id)
    rule = None
    if guideline is not None:
        rule = await session.scalar(
            select(GuidelineRule).where(
                GuidelineRule.guideline_id == guideline.id,
                GuidelineRule.shot_type_id == shot.shot_type_id,
            )
        )
    further = await session.scalars(
        select(Product)
        .join(LookProduct, LookProduct.product_id == Product.id)
        .where(LookProduct.look_id == look.id)
        .order_by(LookProduct.position)
    )
    further_products = list(further)
    images = selectinload(Product.images).joinedload(ProductImage.media)
    media = joinedload(BackgroundPreset.media)
    product = await _one(session, Product, look.main_product_id, images)
    subject = await _one(session, Subject, look.subject_id)
    style = await _maybe(session, Style, look.style_id)
    return ShotInputs(
        shot=shot,
        look=look,
        shot_type=await _one(session, ShotType, shot.shot_type_id),
        product=product,
        further_products=further_products,
        subject=subject,
        style=style,
        guideline=guideline,
        rule=rule,
        background=await _maybe(session, BackgroundPreset, look.background_preset_id, media),
        resolution=await _maybe(session, ResolutionPreset, look.resolution_preset_id),
        adapters=await _adapters(session, subject, product, *further_products, style),
    )


async def _adapters(
    session: ReadSession, *owners: Subject | Product | Style | None
) -> Mapping[UUID, Adapter]:
    ids = {one.lora_id for one in owners if one is not None and one.lora_id is not None}
    if not ids:
        return {}
    found = await session.scalars(select(Adapter).where(Adapter.id.in_(ids)))
    return {one.id: one for one in found}


async def _maybe(
    session: ReadSession, model: type[RowT], row_id: UUID | None, *options: Any
) -> RowT | None:
    return None if row_id is None else await _one(session, model, row_id, *options)


async def _one(session: ReadSession, model: type[RowT], row_id: UUID, *options: Any) -> RowT:
    row: RowT = await session.get_one(model, row_id, options=options, populate_existing=True)
    return row
