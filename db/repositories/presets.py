"""Presets: the standard ones, which nobody changes, and what organizations add."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload

from configs.presets import Preset, Presets
from db.models import BackgroundPreset, Base, ResolutionPreset, ShotType
from db.repositories.scoped import ScopedRepository, ScopedWriter
from db.session import WriteSession


class ShotTypeRepository(ScopedRepository[ShotType]):
    """The standard shot types, and an organization's own."""

    model = ShotType
    searched = (ShotType.name, ShotType.prompt)
    sorts = {  # noqa: RUF012
        "position": ShotType.position,
        "name": ShotType.name,
        "created_at": ShotType.created_at,
        "updated_at": ShotType.updated_at,
    }
    includes_public = True


class ShotTypeWriter(ShotTypeRepository, ScopedWriter[ShotType]):
    """Shot types, and changes of an organization's own."""


class BackgroundPresetRepository(ScopedRepository[BackgroundPreset]):
    """The standard backgrounds, and an organization's own."""

    model = BackgroundPreset
    searched = (BackgroundPreset.name, BackgroundPreset.prompt)
    sorts = {  # noqa: RUF012
        "position": BackgroundPreset.position,
        "name": BackgroundPreset.name,
        "created_at": BackgroundPreset.created_at,
        "updated_at": BackgroundPreset.updated_at,
    }
    loads = (joinedload(BackgroundPreset.media),)
    includes_public = True


class BackgroundPresetWriter(BackgroundPresetRepository, ScopedWriter[BackgroundPreset]):
    """Backgrounds, and changes of an organization's own."""


class ResolutionPresetRepository(ScopedRepository[ResolutionPreset]):
    """The standard resolutions, and an organization's own."""

    model = ResolutionPreset
    searched = (ResolutionPreset.name,)
    sorts = {  # noqa: RUF012
        "position": ResolutionPreset.position,
        "name": ResolutionPreset.name,
        "width": ResolutionPreset.width,
        "height": ResolutionPreset.height,
        "created_at": ResolutionPreset.created_at,
        "updated_at": ResolutionPreset.updated_at,
    }
    includes_public = True


class ResolutionPresetWriter(ResolutionPresetRepository, ScopedWriter[ResolutionPreset]):
    """Resolutions, and changes of an organization's own."""


async def sync_standard(session: WriteSession, presets: Presets) -> None:
    """Make the rows of the standard presets what the files say; equal ones are left alone.

    One that a file no longer has keeps its row: shots may refer to it.
    """
    await _sync(session, ShotType, presets.shot_types)
    await _sync(session, BackgroundPreset, presets.backgrounds)
    await _sync(session, ResolutionPreset, presets.resolutions)


async def _sync(session: WriteSession, model: type[Base], entries: Iterable[Preset]) -> None:
    rows: list[dict[str, Any]] = [
        {"id": one.id, "position": position, **one.model_dump(exclude={"slug"})}
        for position, one in enumerate(entries)
    ]
    columns = [name for name in rows[0] if name != "id"]
    statement = insert(model).values(rows)
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={name: new[name] for name in columns} | {"updated_at": func.clock_timestamp()},
            where=tuple_(*(getattr(model, name) for name in columns)).is_distinct_from(
                tuple_(*(new[name] for name in columns))
            ),
        )
    )
