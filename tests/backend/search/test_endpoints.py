"""Search across the resources of an organization."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from db.models import Look, Role
from db.repositories import OrganizationScope
from db.session import Database
from tests.backend.conftest import As
from tests.factories.organizations import make_scope
from tests.factories.products import make_product
from tests.factories.shootings import make_look, make_shooting
from tests.factories.subjects import make_subject
from tests.fixtures.api import Gateway
from tests.fixtures.statements import count_statements


@pytest.fixture
async def viewer(acting: As, organization_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    async with acting({organization_id: Role.VIEWER}) as viewer:
        yield viewer


async def fill(database: Database, scope: OrganizationScope) -> Look:
    """One of each type with “linen” somewhere, and one of each without."""
    await make_product(database, scope, name="Wool coat")
    product = await make_product(database, scope, name="Dress", caption="a LINEN dress")
    await make_subject(database, scope, name="Noor")
    subject = await make_subject(database, scope, name="Linen Lena")
    await make_shooting(database, scope, name="Wool")
    shooting = await make_shooting(database, scope, name="Spring Linen")
    return await make_look(
        database,
        scope,
        shooting_id=shooting.id,
        main_product_id=product.id,
        subject_id=subject.id,
        shot_type_ids=(),
        outfit_instructions="with linen trousers",
    )


async def found(viewer: httpx.AsyncClient, **params: Any) -> list[tuple[str, str]]:
    response = await viewer.get("/search/", params=params)
    assert response.status_code == 200, response.text
    return [(one["resource_type"], one["data"]["name"]) for one in response.json()["results"]]


async def test_every_type_is_found(
    viewer: httpx.AsyncClient, gateway: Gateway, organization_id: UUID
) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    look = await fill(database, scope)
    await fill(database, await make_scope(database))
    response = (await viewer.get("/search/", params={"q": "linen"})).json()
    assert response["count"] == 4
    by_type = {one["resource_type"]: one["data"] for one in response["results"]}
    assert list(by_type) == ["product", "shooting", "look", "subject"]
    assert by_type["product"]["name"] == "Dress"
    assert by_type["shooting"]["name"] == "Spring Linen"
    assert by_type["look"]["id"] == str(look.id)
    assert by_type["subject"]["name"] == "Linen Lena"
    listed = (await viewer.get("/products/", params={"q": "linen"})).json()["items"]
    assert listed == [by_type["product"]]
    # By its main product.
    assert ("look", None) in await found(viewer, q="dress")


async def test_types_and_limit(
    viewer: httpx.AsyncClient, gateway: Gateway, organization_id: UUID
) -> None:
    await fill(gateway.resources.database, OrganizationScope(organization_id))
    subject, shooting = ("subject", "Linen Lena"), ("shooting", "Spring Linen")
    assert await found(viewer, q="linen", types="subject") == [subject]
    assert await found(viewer, q="linen", types="subject,shooting") == [shooting, subject]
    assert await found(viewer, q="linen", types=["subject", "shooting"]) == [shooting, subject]
    limited = (await viewer.get("/search/", params={"q": "linen", "limit": 1})).json()
    assert (len(limited["results"]), limited["count"]) == (1, 4)
    assert await found(viewer, q="%") == []


async def test_the_best_match_comes_first(
    viewer: httpx.AsyncClient, gateway: Gateway, organization_id: UUID
) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    for name, sku in (("Coat", "A-1"), ("Old", "X-A-1"), ("Long", "A-10"), ("New", "Y-A-1")):
        await make_product(database, scope, name=name, sku=sku)
    ranked = [name for _, name in await found(viewer, q="a-1")]
    assert ranked == ["Coat", "Long", "New", "Old"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "a\0"}, "q"),
        ({"q": "a", "types": "shoe"}, "types"),
        ({"q": "a", "limit": 101}, "limit"),
    ],
)
async def test_refusals_name_the_parameter(
    viewer: httpx.AsyncClient, params: dict[str, Any], field: str
) -> None:
    refused = await viewer.get("/search/", params=params)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"][:2] == ["query", field]


async def test_a_search_takes_the_same_statements_whatever_it_finds(
    viewer: httpx.AsyncClient, gateway: Gateway, organization_id: UUID
) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    counts = []
    for _ in range(2):
        for _ in range(3):
            await fill(database, scope)
        with count_statements() as statements:
            await viewer.get("/search/", params={"q": "linen"})
        counts.append(len(statements))
    assert counts[0] == counts[1]
