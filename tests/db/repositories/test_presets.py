"""Standard presets in the database: as the files say, and left alone when they are."""

from __future__ import annotations

from configs.presets import Presets, load_presets
from db.repositories import OrganizationScope
from db.repositories.presets import ShotTypeRepository, sync_standard
from db.session import Database
from tests.factories.organizations import make_scope
from tests.factories.presets import make_shot_type, standard_shot_types


async def test_standard_ones_are_everybodys_and_others_their_owners(
    database: Database, scope: OrganizationScope
) -> None:
    standard = await standard_shot_types(database)
    entries = load_presets().shot_types
    assert [(one.id, one.name, one.prompt) for one in standard] == [
        (one.id, one.name, one.prompt) for one in entries
    ]
    own = await make_shot_type(database, scope)
    async with database.read() as session:
        seen = await ShotTypeRepository(session, scope).list(size=100)
        assert {one.id for one in seen.items} == {own.id, *(one.id for one in entries)}
        stranger = ShotTypeRepository(session, await make_scope(database))
        assert await stranger.get(own.id) is None
        assert await stranger.get(entries[0].id) is not None


async def test_only_what_the_files_change_changes(database: Database) -> None:
    before = {one.id: one for one in await standard_shot_types(database)}
    presets = load_presets()
    first, *others = presets.shot_types
    renamed = Presets(
        shot_types=(first.model_copy(update={"name": "Head to toe"}), *others),
        backgrounds=presets.backgrounds,
        resolutions=presets.resolutions,
    )
    async with database.write() as session:
        await sync_standard(session, renamed)
    async with database.read() as session:
        after = await ShotTypeRepository(session, OrganizationScope(first.id)).get_many(before)
    changed = {one.name for one in after.values() if one.updated_at != before[one.id].updated_at}
    assert changed == {"Head to toe"}
