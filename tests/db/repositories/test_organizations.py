from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.repositories import ApiKeyWriter, OrganizationWriter
from db.session import Database
from tests.factories.organizations import make_organization

HASH = "ab" * 32


async def test_the_default_organization_is_made_once(own_database: Database) -> None:
    async def ensure() -> object:
        async with own_database.write() as session:
            return (await OrganizationWriter(session).ensure_default()).id

    assert len(set(await asyncio.gather(*(ensure() for _ in range(5))))) == 1


async def test_slugs_are_unique(database: Database) -> None:
    await make_organization(database, slug="brand")
    with pytest.raises(IntegrityError):
        await make_organization(database, slug="brand")


async def test_a_key_in_force_names_its_organization(database: Database) -> None:
    organization = await make_organization(database)
    async with database.write() as session:
        keys = ApiKeyWriter(session)
        added = await keys.add(organization.id, name="ci", prefix="sk_live_abcd", key_hash=HASH)
        found = await keys.in_force(HASH)
        assert found is not None
        assert (found.id, found.organization_id) == (added.id, organization.id)
        assert await keys.in_force("cd" * 32) is None
        assert await keys.revoke(organization.id, added.id)
        assert not await keys.revoke(organization.id, added.id)
        assert await keys.in_force(HASH) is None


async def test_use_is_noted_at_most_once_a_minute(database: Database) -> None:
    organization = await make_organization(database)
    async with database.write() as session:
        keys = ApiKeyWriter(session)
        key = await keys.add(organization.id, name="ci", prefix="sk_", key_hash=HASH)
        notes = []
        for seconds in (0, 30, 61):
            await session.execute(
                text("UPDATE api_keys SET last_used_at = last_used_at - :age * interval '1 s'"),
                {"age": seconds},
            )
            await session.refresh(key)
            before = key.last_used_at
            found = await keys.in_force(HASH)
            assert found is not None
            if found.is_use_to_be_noted:
                await keys.touch(found.id)
            await session.refresh(key)
            notes.append(key.last_used_at != before)
    assert notes == [True, False, True]
    assert key.last_used_at is not None
    assert timedelta(0) <= key.last_used_at - key.created_at < timedelta(minutes=1)
