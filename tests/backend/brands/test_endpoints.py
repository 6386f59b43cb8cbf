"""Brands: the pattern that every resource of the catalog follows."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from db.models import Role
from tests.backend.conftest import As


async def test_a_brand_from_its_making_to_its_end(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        made = await editor.post("/brands/", json={"name": "Nord", "website": "https://n.example"})
        assert made.status_code == 201
        brand = made.json()
        assert (brand["name"], brand["description"]) == ("Nord", None)
        url = f"/brands/{brand['id']}"
        assert (await editor.get(url)).json() == brand
        patched = await editor.patch(url, json={"name": "Nord & Co", "website": None})
        assert patched.status_code == 200
        assert (patched.json()["name"], patched.json()["website"]) == ("Nord & Co", None)
        assert patched.json()["updated_at"] > brand["updated_at"]
        assert (await editor.delete(url)).status_code == 204
        gone = await editor.get(url)
        assert (gone.status_code, gone.json()) == (404, {"detail": "Brand not found"})


async def test_lists_filter_search_and_sort(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        ids = {}
        for name in ("Beta", "alpha 100%", "Gamma"):
            ids[name] = (await editor.post("/brands/", json={"name": name})).json()["id"]
        await editor.patch(f"/brands/{ids['Gamma']}", json={"is_archived": True})

        async def names(**params: object) -> list[str]:
            response = await editor.get("/brands/", params=params)
            assert response.status_code == 200, response.text
            return [one["name"] for one in response.json()["items"]]

        assert await names() == ["Gamma", "alpha 100%", "Beta"]
        assert await names(sort="name") == ["alpha 100%", "Beta", "Gamma"]
        assert await names(sort="-name", page=2, size=2) == ["alpha 100%"]
        assert await names(q="ALPHA") == ["alpha 100%"]
        assert await names(q="%") == ["alpha 100%"]
        assert await names(archived=True) == ["Gamma"]
        assert await names(archived=False) == ["alpha 100%", "Beta"]
        assert await names(created_after="2100-01-01T00:00:00Z") == []
        refused = await editor.get("/brands/", params={"sort": "secret"})
        assert refused.json()["detail"][0]["loc"] == ["query", "sort"]


async def test_versions(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        url = f"/brands/{(await editor.post('/brands/', json={'name': 'Nord'})).json()['id']}"
        first = (await editor.get(url)).headers["etag"]
        unchanged = await editor.get(url, headers={"If-None-Match": first})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        changed = await editor.patch(url, json={"name": "Süd"}, headers={"If-Match": first})
        assert changed.status_code == 200
        assert changed.headers["etag"] != first
        stale = await editor.patch(url, json={"name": "West"}, headers={"If-Match": first})
        assert stale.status_code == 412
        seen = await editor.get(url, headers={"If-None-Match": first})
        assert (seen.status_code, seen.json()["name"]) == (200, "Süd")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "Nord", "colour": "red"}, "colour"),
    ],
)
async def test_refusals_name_the_field(
    acting: As, organization_id: UUID, body: dict[str, str], field: str
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post("/brands/", json=body)
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", field]


async def test_a_name_cannot_be_emptied(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        url = f"/brands/{(await editor.post('/brands/', json={'name': 'Nord'})).json()['id']}"
        refused = await editor.patch(url, json={"name": None})
        assert refused.json()["detail"][0]["loc"] == ["body", "name"]


async def test_the_same_request_twice_makes_one(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        headers = {"Idempotency-Key": uuid4().hex}
        first, second = [
            await editor.post("/brands/", json={"name": "Nord"}, headers=headers) for _ in range(2)
        ]
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        other = await editor.post("/brands/", json={"name": "Other"}, headers=headers)
        assert other.status_code == 409
