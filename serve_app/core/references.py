"""Ids in request bodies: each must be of a row that the organization sees."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from db.models import (
    Adapter,
    BackgroundPreset,
    Base,
    Brand,
    Guideline,
    Product,
    ResolutionPreset,
    Shot,
    ShotType,
    Style,
    Subject,
)
from db.repositories.references import ReferenceRepository
from db.repositories.scope import OrganizationScope
from db.session import ReadSession
from serve_app.core.errors import NotFound

# Field of a body → what it names, and where that is.
_REFERENCES: Final[Mapping[str, tuple[str, type[Base]]]] = {
    "brand_id": ("Brand", Brand),
    "guideline_id": ("Guideline", Guideline),
    "lora_id": ("LoRA", Adapter),
    "main_product_id": ("Product", Product),
    "product_ids": ("Product", Product),
    "subject_id": ("Subject", Subject),
    "style_id": ("Style", Style),
    "shot_ids": ("Shot", Shot),
    "shot_type_ids": ("Shot type", ShotType),
    "resolution_preset_id": ("Resolution preset", ResolutionPreset),
    "background_preset_id": ("Background preset", BackgroundPreset),
}


async def check_references(
    session: ReadSession, scope: OrganizationScope, values: Mapping[str, Any]
) -> None:
    """Look up every id among the fields of a body; other fields are left alone.

    Raises:
        NotFound: one is unknown or another tenant's; the text says what it was to name.
    """
    named = {
        field: (model, _ids(values[field]))
        for field, (_, model) in _REFERENCES.items()
        if field in values
    }
    for field in await ReferenceRepository(session, scope).missing(named):
        raise NotFound(f"{_REFERENCES[field][0]} not found")


def _ids(value: UUID | Collection[UUID] | None) -> Collection[UUID]:
    if value is None:
        return ()
    return (value,) if isinstance(value, UUID) else value
