"""Shots: what is shown of them, and how lists find them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from db.models import Look, Role, ShotStatus
from db.repositories import OrganizationScope
from db.repositories.shots import ShotWriter
from tests.backend.conftest import As
from tests.factories.generations import put_in_review
from tests.factories.products import make_product
from tests.factories.shootings import make_look
from tests.fixtures.api import Gateway
from tests.fixtures.statements import count_statements


@pytest.fixture
def scope(organization_id: UUID) -> OrganizationScope:
    return OrganizationScope(organization_id)


@pytest.fixture
async def look(gateway: Gateway, scope: OrganizationScope) -> Look:
    return await make_look(gateway.resources.database, scope)


async def test_a_shot_shows_its_current_image(
    acting: As, gateway: Gateway, scope: OrganizationScope, look: Look
) -> None:
    resources = gateway.resources
    url = f"/shots/{look.shots[0].id}"
    async with acting({scope.organization_id: Role.VIEWER}) as viewer:
        shot = (await viewer.get(url)).json()
        assert (shot["status"], shot["current_image_url"]) == ("pending", None)
        assert shot["shot_type"]["id"] == shot["shot_type_id"]
        assert set(shot["shot_type"]) == {"id", "name", "framing", "view"}
        images = await put_in_review(
            resources.database, scope, look.shots[0], store=resources.store
        )
        shot = (await viewer.get(url)).json()
        assert (shot["status"], shot["revisions"][0]["status"]) == ("review", "review")
        assert shot["current_prediction_id"] == str(images[0].id)
    async with gateway.client(None) as anybody:
        image = await anybody.get(shot["current_image_url"])
    assert (image.status_code, len(image.content)) == (200, images[0].size)


async def test_lists_filter(
    acting: As, gateway: Gateway, scope: OrganizationScope, look: Look
) -> None:
    database = gateway.resources.database
    further = await make_product(database, scope)
    second = await make_look(
        database, scope, product_ids=[further.id], main_product_id=look.main_product_id
    )
    await put_in_review(database, scope, second.shots[1])
    everything = {str(shot.id) for one in (look, second) for shot in one.shots}
    of_second = {str(shot.id) for shot in second.shots}
    async with acting({scope.organization_id: Role.VIEWER}) as viewer:

        async def ids(**params: Any) -> set[str]:
            listed = await viewer.get("/shots/", params=params)
            assert listed.status_code == 200, listed.text
            return {one["id"] for one in listed.json()["items"]}

        assert await ids() == everything
        assert await ids(look_id=second.id) == of_second
        assert await ids(shooting_id=second.shooting_id) == of_second
        assert await ids(product_id=further.id) == of_second
        assert await ids(product_id=look.main_product_id) == everything
        assert await ids(product_id=uuid4()) == set()
        assert await ids(status="review") == {str(second.shots[1].id)}
        assert await ids(status=["review", "pending"]) == everything
        of_type = await ids(shot_type_id=look.shots[0].shot_type_id)
        assert of_type == {str(look.shots[0].id), str(second.shots[0].id)}
        ordered = await viewer.get("/shots/", params={"look_id": look.id, "sort": "-position"})
        positions = [one["position"] for one in ordered.json()["items"]]
        assert positions == [1, 0]


async def test_a_longer_page_takes_no_more_statements(
    acting: As, gateway: Gateway, scope: OrganizationScope
) -> None:
    database = gateway.resources.database
    for _ in range(3):
        look = await make_look(database, scope)
        for shot in look.shots:
            await put_in_review(database, scope, shot)
    async with acting({scope.organization_id: Role.VIEWER}) as viewer:
        for url in ("/shots/", "/looks/", "/shootings/", "/predictions/"):
            counts = []
            for size in (1, 3):
                with count_statements() as statements:
                    listed = await viewer.get(url, params={"size": size})
                assert len(listed.json()["items"]) == size
                counts.append(len(statements))
            assert counts[0] == counts[1], url


async def test_a_shot_changes_its_place(acting: As, look: Look, organization_id: UUID) -> None:
    url = f"/shots/{look.shots[0].id}"
    async with acting({organization_id: Role.EDITOR}) as editor:
        first = (await editor.get(url)).headers["etag"]
        moved = await editor.patch(url, json={"position": 5}, headers={"If-Match": first})
        assert moved.json()["position"] == 5
        shots = (await editor.get(f"/looks/{look.id}")).json()["shots"]
        assert [one["id"] for one in shots] == [str(look.shots[1].id), str(look.shots[0].id)]
        stale = await editor.patch(url, json={"position": 0}, headers={"If-Match": first})
        assert stale.status_code == 412
        refused = await editor.patch(url, json={"position": -1})
        assert refused.json()["detail"][0]["loc"] == ["body", "position"]


async def test_a_shot_with_images_stays(
    acting: As, gateway: Gateway, scope: OrganizationScope, look: Look
) -> None:
    database = gateway.resources.database
    drawn, busy = look.shots
    await put_in_review(database, scope, drawn)
    async with database.write() as session:
        shots = ShotWriter(session, scope)
        locked = await shots.lock(busy.id)
        assert locked is not None
        await shots.move(locked, ShotStatus.GENERATING, {})
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        for shot in (drawn, busy):
            assert (await editor.delete(f"/shots/{shot.id}")).status_code == 409
        bare = (await make_look(database, scope)).shots[0]
        assert (await editor.delete(f"/shots/{bare.id}")).status_code == 204
        assert (await editor.get(f"/shots/{bare.id}")).status_code == 404
