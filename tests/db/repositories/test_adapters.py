"""Adapters: versions are given once, names stand for what they say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from db.models import Adapter
from db.repositories import OrganizationScope
from db.repositories.adapters import AdapterRepository, AdapterWriter
from db.repositories.organizations import OrganizationWriter
from db.session import Database
from tests.factories.adapters import make_adapter
from tests.factories.organizations import make_scope
from tests.factories.products import make_product
from tests.factories.styles import make_style
from tests.factories.subjects import make_subject
from tests.factories.tasks import make_task


async def test_versions_made_at_once_are_all_different(own_database: Database) -> None:
    scope = await make_scope(own_database)
    made = await asyncio.gather(
        *(make_adapter(own_database, scope, name) for name in ("mira", "dress") * 8)
    )
    by_name: dict[str, list[int]] = {"mira": [], "dress": []}
    for adapter in made:
        by_name[adapter.name].append(adapter.version)
    assert {name: sorted(versions) for name, versions in by_name.items()} == {
        "mira": list(range(1, 9)),
        "dress": list(range(1, 9)),
    }


async def test_a_number_is_not_given_again(database: Database, scope: OrganizationScope) -> None:
    await make_adapter(database, scope)
    second = await make_adapter(database, scope)
    async with database.write() as session:
        await AdapterWriter(session, scope).delete(second)
    assert (await make_adapter(database, scope)).version == 3
    assert (await make_adapter(database, await make_scope(database))).version == 1


async def test_names(database: Database, scope: OrganizationScope) -> None:
    first, second = [await make_adapter(database, scope) for _ in range(2)]
    other = await make_adapter(database, scope, "dress")
    stranger = await make_adapter(database, await make_scope(database), "silk")
    names: dict[str, Adapter | None] = {
        "mira": second,
        "mira@1": first,
        "mira@2": second,
        str(first.id): first,
        "dress": other,
        "mira@3": None,
        "mira@0": None,
        "mira@": None,
        "mira@latest": None,
        "mira@99999999999999999999": None,
        "@1": None,
        "silk": None,
        "silk@1": None,
        str(stranger.id): None,
    }
    async with database.read() as session:
        found = await AdapterRepository(session, scope).resolve(names)
        assert await AdapterRepository(session, scope).resolve([]) == {}
    assert {name: one.id for name, one in found.items()} == {
        name: one.id for name, one in names.items() if one is not None
    }


@pytest.mark.parametrize("make", [make_subject, make_product, make_style])
async def test_what_is_used_stays(make: Any, database: Database, scope: OrganizationScope) -> None:
    adapter = await make_adapter(database, scope)
    await make(database, scope, lora_id=adapter.id)
    with pytest.raises(IntegrityError, match="lora_id_adapters"):
        async with database.write() as session:
            await AdapterWriter(session, scope).delete(adapter)


async def test_an_organization_goes_with_its_adapters(own_database: Database) -> None:
    scope = await make_scope(own_database)
    task_id = await make_task(own_database, scope)
    adapter = await make_adapter(own_database, scope, task_id=task_id)
    for make in (make_subject, make_product, make_style):
        await make(own_database, scope, lora_id=adapter.id)
    async with own_database.write() as session:
        assert await OrganizationWriter(session).delete(scope.organization_id)
    async with own_database.read() as session:
        assert await AdapterRepository(session, scope).get(adapter.id) is None


async def test_a_training_makes_one(database: Database, scope: OrganizationScope) -> None:
    task_id = await make_task(database, scope)
    await make_adapter(database, scope, task_id=task_id)
    with pytest.raises(IntegrityError, match="ix_adapters_task_id"):
        await make_adapter(database, scope, task_id=task_id)
