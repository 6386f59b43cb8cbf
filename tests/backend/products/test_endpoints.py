"""Products, as resources of the catalog."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from db.models import Role
from db.repositories import OrganizationScope
from db.repositories.brands import BrandWriter
from tests.backend.conftest import As
from tests.factories.organizations import make_scope
from tests.factories.pictures import picture
from tests.factories.products import make_product
from tests.factories.shootings import make_look
from tests.fixtures.api import Gateway
from tests.fixtures.statements import count_statements

DRESS = {"name": "Summer Dress", "sku": "DRS-001", "category": "dresses"}


async def test_a_product_from_its_making_to_its_end(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        made = await editor.post("/products/", json=DRESS)
        assert made.status_code == 201
        product = made.json()
        assert {name: product[name] for name in DRESS} == DRESS
        assert (product["family"], product["materials"]) == ("apparel", [])
        assert (product["images"], product["cover_url"]) == ([], None)
        url = f"/products/{product['id']}"
        assert (await editor.get(url)).json() == product
        assert (await editor.get("/products/")).json() == {
            "items": [product],
            "total": 1,
            "page": 1,
            "size": 20,
        }
        patched = await editor.patch(
            url, json={"color": "sky blue", "materials": ["linen"], "is_archived": True}
        )
        assert patched.status_code == 200
        assert (patched.json()["color"], patched.json()["materials"]) == ("sky blue", ["linen"])
        assert patched.json()["archived_at"] is not None
        assert (await editor.delete(url)).status_code == 204
        gone = await editor.get(url)
        assert (gone.status_code, gone.json()) == (404, {"detail": "Product not found"})


async def test_lists_filter_by_every_field(
    acting: As, organization_id: UUID, gateway: Gateway
) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    async with database.write() as session:
        brand = await BrandWriter(session, scope).add(name="Nord")
    await make_product(database, scope, sku="A", brand_id=brand.id, gender="women", color="red")
    await make_product(database, scope, sku="B", family="footwear", category="boots")
    await make_product(database, scope, sku="C", caption="a GREEN scarf", name="Scarf")
    async with acting({organization_id: Role.VIEWER}) as viewer:

        async def skus(**params: object) -> str:
            response = await viewer.get("/products/", params=params)
            assert response.status_code == 200, response.text
            return "".join(one["sku"] for one in response.json()["items"])

        assert await skus() == "CBA"
        assert await skus(sort="sku") == "ABC"
        assert await skus(brand_id=brand.id) == "A"
        assert await skus(gender="women", color="red") == "A"
        assert await skus(gender="women", color="blue") == ""
        assert await skus(family="footwear") == "B"
        assert await skus(category="boots") == "B"
        assert await skus(sku="C") == "C"
        assert await skus(q="green") == "C"
        assert await skus(q="summer dress", archived=False) == "BA"
        assert await skus(brand_id=uuid4()) == ""


async def test_skus_are_unique_in_an_organization(
    acting: As, organization_id: UUID, gateway: Gateway
) -> None:
    theirs = await make_scope(gateway.resources.database)
    await make_product(gateway.resources.database, theirs, sku="DRS-001")
    async with acting({organization_id: Role.EDITOR}) as editor:
        assert (await editor.post("/products/", json=DRESS)).status_code == 201
        twin = await editor.post("/products/", json=DRESS)
        assert (twin.status_code, twin.json()) == (
            409,
            {"detail": "Another product of your organization has this SKU"},
        )
        other = (await editor.post("/products/", json=DRESS | {"sku": "DRS-002"})).json()
        renamed = await editor.patch(f"/products/{other['id']}", json={"sku": "DRS-001"})
        assert renamed.status_code == 409


async def test_a_brand_of_others_is_not_found(
    acting: As, organization_id: UUID, gateway: Gateway
) -> None:
    database = gateway.resources.database
    async with database.write() as session:
        brand = await BrandWriter(session, await make_scope(database)).add(name="Theirs")
    mine = await make_product(database, OrganizationScope(organization_id))
    async with acting({organization_id: Role.EDITOR}) as editor:
        for response in (
            await editor.post("/products/", json=DRESS | {"brand_id": str(brand.id)}),
            await editor.patch(f"/products/{mine.id}", json={"brand_id": str(brand.id)}),
        ):
            assert (response.status_code, response.json()) == (404, {"detail": "Brand not found"})


async def test_a_product_that_a_look_shows_stays(
    acting: As, organization_id: UUID, gateway: Gateway
) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    product, further = [await make_product(database, scope) for _ in range(2)]
    await make_look(
        database, scope, main_product_id=product.id, product_ids=[further.id], shot_type_ids=()
    )
    async with acting({organization_id: Role.EDITOR}) as editor:
        for shown in (product, further):
            refused = await editor.delete(f"/products/{shown.id}")
            assert refused.status_code == 409
            assert "look" in refused.json()["detail"]
            assert (await editor.get(f"/products/{shown.id}")).status_code == 200


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"name": "x"}, ["sku"]),
        ({**DRESS, "family": "food"}, ["family"]),
        ({**DRESS, "materials": ["linen", "a\0b"]}, ["materials", 1]),
        ({**DRESS, "categry": "x"}, ["categry"]),
    ],
)
async def test_refusals_name_the_field(
    acting: As, organization_id: UUID, body: dict[str, str], loc: list[str | int]
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post("/products/", json=body)
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", *loc]


async def test_a_list_takes_the_same_statements_however_long(
    acting: As, organization_id: UUID, gateway: Gateway
) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    products = [await make_product(database, scope) for _ in range(20)]
    async with acting({organization_id: Role.EDITOR}) as editor:
        for product in products:
            added = await editor.post(f"/products/{product.id}/images", files={"file": picture()})
            assert added.status_code == 201, added.text
        counts = []
        for size in (1, 20):
            with count_statements() as statements:
                items = (await editor.get("/products/", params={"size": size})).json()["items"]
            assert len(items) == size
            assert all(len(one["images"]) == 1 for one in items)
            counts.append(len(statements))
    assert counts[0] == counts[1] > 0
