"""Looks: one shot for each shot type, and what may be changed of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from db.models import Look, Role
from db.repositories import OrganizationScope
from tests.backend.conftest import As
from tests.factories.generations import put_in_review
from tests.factories.presets import make_background, make_resolution, standard_shot_types
from tests.factories.products import make_product
from tests.factories.shootings import make_look, make_shooting
from tests.factories.subjects import make_subject
from tests.fixtures.api import Gateway


@pytest.fixture
def scope(organization_id: UUID) -> OrganizationScope:
    return OrganizationScope(organization_id)


@pytest.fixture
async def body(gateway: Gateway, scope: OrganizationScope) -> dict[str, Any]:
    """Of a look with two shots."""
    database = gateway.resources.database
    return {
        "main_product_id": str((await make_product(database, scope)).id),
        "subject_id": str((await make_subject(database, scope)).id),
        "shot_type_ids": [str(one.id) for one in (await standard_shot_types(database))[:2]],
    }


@pytest.fixture
async def look(gateway: Gateway, scope: OrganizationScope) -> Look:
    return await make_look(gateway.resources.database, scope)


async def test_a_look_makes_one_shot_for_each_shot_type(
    acting: As, gateway: Gateway, scope: OrganizationScope, body: dict[str, Any]
) -> None:
    shooting = await make_shooting(gateway.resources.database, scope)
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        url = f"/shootings/{shooting.id}/looks"
        made = await editor.post(url, json=body)
        assert made.status_code == 201, made.text
        look = made.json()
        assert (look["shooting_id"], look["file_format"]) == (str(shooting.id), "jpeg")
        shots = look["shots"]
        assert [one["shot_type_id"] for one in shots] == body["shot_type_ids"]
        assert {(one["status"], one["revision"]) for one in shots} == {("pending", 1)}
        shot = (await editor.get(f"/shots/{shots[0]['id']}")).json()
        assert [(one["number"], one["status"]) for one in shot["revisions"]] == [(1, "pending")]
        assert (await editor.get(f"/looks/{look['id']}")).json() == look
        assert (await editor.get(url)).json()["items"] == [look]
        same = await editor.post("/looks/", json={**body, "shooting_id": str(shooting.id)})
        assert same.status_code == 201
        assert len((await editor.get(url)).json()["items"]) == 2


async def test_everything_that_a_look_may_name(
    acting: As, gateway: Gateway, scope: OrganizationScope, body: dict[str, Any]
) -> None:
    database = gateway.resources.database
    shooting = await make_shooting(database, scope)
    further = [str((await make_product(database, scope)).id) for _ in range(2)]
    body |= {
        "product_ids": further,
        "resolution_preset_id": str((await make_resolution(database, scope)).id),
        "background_preset_id": str((await make_background(database, scope)).id),
        "outfit_instructions": "Sleeves rolled up",
        "file_format": "webp",
        "name": "First",
    }
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        look = (await editor.post(f"/shootings/{shooting.id}/looks", json=body)).json()
        assert {name: look[name] for name in body if name != "shot_type_ids"} == {
            name: value for name, value in body.items() if name != "shot_type_ids"
        }
        other = str((await make_product(database, scope)).id)
        patched = await editor.patch(
            f"/looks/{look['id']}", json={"product_ids": [other], "outfit_instructions": None}
        )
        assert patched.json()["product_ids"] == [other]
        assert patched.json()["outfit_instructions"] is None
        assert patched.json()["name"] == "First"


async def test_lists_filter(acting: As, look: Look, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        for name in ("shooting_id", "main_product_id", "subject_id"):
            hit = await editor.get("/looks/", params={name: str(getattr(look, name))})
            assert [one["id"] for one in hit.json()["items"]] == [str(look.id)], name
            miss = await editor.get("/looks/", params={name: str(uuid4())})
            assert miss.json()["items"] == [], name
        assert (await editor.get("/looks/", params={"style_id": str(uuid4())})).json()["total"] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shot_type_ids", []),
        ("shot_type_ids", "twice"),
        ("product_ids", "main"),
        ("product_ids", "twice"),
        ("file_format", "gif"),
        ("subject_id", None),
        ("poses", []),
    ],
)
async def test_refusals_name_the_field(
    acting: As,
    gateway: Gateway,
    scope: OrganizationScope,
    body: dict[str, Any],
    field: str,
    value: Any,
) -> None:
    shooting = await make_shooting(gateway.resources.database, scope)
    if value == "twice":
        value = body["shot_type_ids"][:1] * 2
    elif value == "main":
        value = [body["main_product_id"]]
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        refused = await editor.post(f"/shootings/{shooting.id}/looks", json={**body, field: value})
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", field]
        assert (await editor.get("/looks/")).json()["total"] == 0


async def test_the_main_product_may_not_become_a_further_one(
    acting: As, gateway: Gateway, scope: OrganizationScope
) -> None:
    database = gateway.resources.database
    further = await make_product(database, scope)
    look = await make_look(database, scope, product_ids=[further.id])
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        refused = await editor.patch(f"/looks/{look.id}", json={"main_product_id": str(further.id)})
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", "product_ids"]


async def test_shot_types_come_and_go_but_not_with_images(
    acting: As, gateway: Gateway, scope: OrganizationScope, look: Look
) -> None:
    database = gateway.resources.database
    first, second, third = [one.id for one in (await standard_shot_types(database))[:3]]
    await put_in_review(database, scope, look.shots[0])
    url = f"/looks/{look.id}"
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        refused = await editor.patch(url, json={"shot_type_ids": [str(second), str(third)]})
        assert refused.status_code == 409
        assert "images" in refused.json()["detail"]
        assert len((await editor.get(url)).json()["shots"]) == 2
        changed = await editor.patch(url, json={"shot_type_ids": [str(third), str(first)]})
        shots = changed.json()["shots"]
        assert [one["shot_type_id"] for one in shots] == [str(third), str(first)]
        assert (shots[1]["id"], shots[1]["status"]) == (str(look.shots[0].id), "review")
        assert shots[1]["current_image_url"].startswith("http")
        assert (await editor.get(f"/shots/{look.shots[1].id}")).status_code == 404


async def test_a_look_with_images_stays(
    acting: As, gateway: Gateway, scope: OrganizationScope, look: Look
) -> None:
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        bare = await make_look(gateway.resources.database, scope)
        assert (await editor.delete(f"/looks/{bare.id}")).status_code == 204
        await put_in_review(gateway.resources.database, scope, look.shots[0])
        refused = await editor.delete(f"/looks/{look.id}")
        assert (refused.status_code, "images" in refused.json()["detail"]) == (409, True)


async def test_a_look_has_a_new_version_when_a_shot_has(
    acting: As, gateway: Gateway, scope: OrganizationScope, look: Look
) -> None:
    url = f"/looks/{look.id}"
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        first = (await editor.get(url)).headers["etag"]
        assert (await editor.get(url, headers={"If-None-Match": first})).status_code == 304
        await put_in_review(gateway.resources.database, scope, look.shots[0])
        second = await editor.get(url, headers={"If-None-Match": first})
        assert (second.status_code, second.json()["shots"][0]["status"]) == (200, "review")
        assert (await editor.delete(f"/shots/{look.shots[1].id}")).status_code == 204
        third = await editor.get(url, headers={"If-None-Match": second.headers["etag"]})
        assert (third.status_code, len(third.json()["shots"])) == (200, 1)
        stale = {"If-Match": first}
        assert (await editor.patch(url, json={"name": "B"}, headers=stale)).status_code == 412
        fresh = {"If-Match": third.headers["etag"]}
        assert (await editor.patch(url, json={"name": "B"}, headers=fresh)).status_code == 200
