"""Shootings: what they hold, how far they are, and that images outlive a mistake."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from db.models import Role
from db.repositories import OrganizationScope
from serve_app.core.versions import newest
from tests.backend.conftest import As
from tests.factories.generations import put_in_review
from tests.factories.shootings import make_brand, make_look, make_shooting
from tests.fixtures.api import Gateway


@pytest.fixture
def scope(organization_id: UUID) -> OrganizationScope:
    return OrganizationScope(organization_id)


async def test_a_shooting_from_its_making_to_its_end(
    acting: As, gateway: Gateway, scope: OrganizationScope
) -> None:
    brand = await make_brand(gateway.resources.database, scope)
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        body = {"name": "Summer Collection 2024", "brand_id": str(brand.id)}
        made = await editor.post("/shootings/", json=body)
        assert made.status_code == 201, made.text
        shooting = made.json()
        assert (shooting["phase"], shooting["due_date"]) == ("brief", None)
        url = f"/shootings/{shooting['id']}"
        assert (await editor.get(url)).json() == shooting
        changes = {"phase": "production", "due_date": "2024-05-31", "is_archived": True}
        patched = (await editor.patch(url, json=changes)).json()
        assert (patched["phase"], patched["due_date"]) == ("production", "2024-05-31")
        assert patched["archived_at"] is not None
        assert (await editor.delete(url)).status_code == 204
        gone = await editor.get(url)
        assert (gone.status_code, gone.json()) == (404, {"detail": "Shooting not found"})


async def test_lists_filter(acting: As, gateway: Gateway, scope: OrganizationScope) -> None:
    database = gateway.resources.database
    brands = [await make_brand(database, scope) for _ in range(2)]
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        for body in (
            {"name": "A", "brand_id": str(brands[0].id), "due_date": "2024-05-01"},
            {"name": "B", "brand_id": str(brands[1].id), "season": "SS24", "collection": "Riviera"},
            {
                "name": "C",
                "brand_id": str(brands[0].id),
                "phase": "closed",
                "due_date": "2024-06-01",
            },
        ):
            assert (await editor.post("/shootings/", json=body)).status_code == 201

        async def names(**params: Any) -> str:
            listed = await editor.get("/shootings/", params={"sort": "name", **params})
            assert listed.status_code == 200, listed.text
            return "".join(one["name"] for one in listed.json()["items"])

        assert await names() == "ABC"
        assert await names(brand_id=brands[0].id) == "AC"
        assert await names(phase="closed") == "C"
        assert await names(season="SS24") == "B"
        assert await names(collection="Riviera") == "B"
        assert await names(due_before="2024-06-01") == "A"
        assert await names(guideline_id=uuid4()) == ""
        assert await names(archived=True) == ""
        assert await names(q="rivi") == "B"
        assert await names(sort="-due_date", due_before="2025-01-01") == "CA"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"brand_id": "no id"}, "brand_id"),
        ({"due_date": "soon"}, "due_date"),
        ({"phase": "party"}, "phase"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_refusals_name_the_field(
    acting: As, organization_id: UUID, body: dict[str, str], field: str
) -> None:
    valid = {"name": "Summer", "brand_id": str(uuid4())} if body else {}
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post("/shootings/", json=valid | body)
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", field]


async def test_versions(acting: As, gateway: Gateway, scope: OrganizationScope) -> None:
    shooting = await make_shooting(gateway.resources.database, scope)
    url = f"/shootings/{shooting.id}"
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        first = (await editor.get(url)).headers["etag"]
        assert (await editor.get(url, headers={"If-None-Match": first})).status_code == 304
        headers = {"If-Match": first}
        assert (await editor.patch(url, json={"name": "B"}, headers=headers)).status_code == 200
        assert (await editor.patch(url, json={"name": "C"}, headers=headers)).status_code == 412


async def test_progress_counts_shots_by_state(
    acting: As, gateway: Gateway, scope: OrganizationScope
) -> None:
    database = gateway.resources.database
    look = await make_look(database, scope)
    images = await put_in_review(database, scope, look.shots[0])
    url = f"/shootings/{look.shooting_id}/progress"
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        before = (await editor.get(url)).json()
        assert before == {
            "total": 2,
            "pending": 1,
            "generating": 0,
            "review": 1,
            "approved": 0,
            "rejected": 0,
            "approved_percent": 0.0,
        }
        approve = f"/shots/{look.shots[0].id}/approve"
        await editor.post(approve, json={"prediction_id": str(images[0].id)})
        after = (await editor.get(url)).json()
        assert (after["review"], after["approved"], after["approved_percent"]) == (0, 1, 50.0)
        empty = await make_shooting(database, scope)
        nothing = (await editor.get(f"/shootings/{empty.id}/progress")).json()
        assert (nothing["total"], nothing["approved_percent"]) == (0, 0.0)


async def test_images_are_not_removed_with_a_shooting(
    acting: As, gateway: Gateway, scope: OrganizationScope
) -> None:
    database = gateway.resources.database
    look = await make_look(database, scope)
    images = await put_in_review(database, scope, look.shots[0])
    bare = await make_look(database, scope)
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        refused = await editor.delete(f"/shootings/{look.shooting_id}")
        assert refused.status_code == 409
        assert "archive it" in refused.json()["detail"]
        assert (await editor.get(f"/predictions/{images[0].id}")).status_code == 200
        assert (await editor.delete(f"/shootings/{bare.shooting_id}")).status_code == 204
        for gone in (f"/looks/{bare.id}", f"/shots/{bare.shots[0].id}"):
            assert (await editor.get(gone)).status_code == 404


async def test_the_newest_of_several_rows_is_the_version(
    gateway: Gateway, scope: OrganizationScope
) -> None:
    older, newer = [await make_shooting(gateway.resources.database, scope) for _ in range(2)]
    assert newest(older, newer) is newest(newer, older) is newer
