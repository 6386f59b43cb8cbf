"""Presets."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from configs.presets import load_presets
from db.models import BackgroundPreset, Framing, ResolutionPreset, ShotType, View
from db.repositories import OrganizationScope
from db.repositories.presets import (
    BackgroundPresetWriter,
    ResolutionPresetWriter,
    ShotTypeRepository,
    ShotTypeWriter,
    sync_standard,
)
from db.session import Database


async def standard_shot_types(database: Database) -> list[ShotType]:
    """All of them, in their order; a gateway has them, and here they are made sure of."""
    presets = load_presets()
    async with database.write() as session:
        await sync_standard(session, presets)
    # Nobody's scope: the public rows alone.
    nobody = OrganizationScope(uuid4())
    async with database.read() as session:
        page = await ShotTypeRepository(session, nobody).list(size=100, sort="position")
    return page.items


async def make_shot_type(
    database: Database,
    scope: OrganizationScope,
    *,
    name: str = "Cuffs",
    framing: Framing = Framing.DETAIL,
    view: View = View.FRONT,
    **values: Any,
) -> ShotType:
    async with database.write() as session:
        return await ShotTypeWriter(session, scope).add(
            name=name, framing=framing, view=view, **values
        )


async def make_background(
    database: Database,
    scope: OrganizationScope,
    *,
    name: str = "Sand",
    type: str = "color",  # noqa: A002
    **values: Any,
) -> BackgroundPreset:
    """A beige unless ``values`` say otherwise."""
    values = values or {"color": "#e0cba8"}
    async with database.write() as session:
        return await BackgroundPresetWriter(session, scope).add(name=name, type=type, **values)


async def make_resolution(
    database: Database,
    scope: OrganizationScope,
    *,
    name: str = "Tile",
    width: int = 320,
    height: int = 480,
) -> ResolutionPreset:
    async with database.write() as session:
        return await ResolutionPresetWriter(session, scope).add(
            name=name, width=width, height=height
        )
