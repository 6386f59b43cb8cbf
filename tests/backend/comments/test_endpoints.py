"""Comments: pinned to a point or not, and who may change them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from db.models import Prediction, Role, Shot
from db.repositories import OrganizationScope
from tests.backend.conftest import As
from tests.factories.generations import put_in_review
from tests.factories.shootings import make_look
from tests.fixtures.api import Gateway


@pytest.fixture
def scope(organization_id: UUID) -> OrganizationScope:
    return OrganizationScope(organization_id)


@pytest.fixture
async def shot(gateway: Gateway, scope: OrganizationScope) -> Shot:
    return (await make_look(gateway.resources.database, scope)).shots[0]


@pytest.fixture
async def image(gateway: Gateway, scope: OrganizationScope, shot: Shot) -> Prediction:
    return (await put_in_review(gateway.resources.database, scope, shot, images=1))[0]


async def test_a_comment_from_its_making_to_its_end(
    acting: As, organization_id: UUID, shot: Shot, image: Prediction
) -> None:
    url = f"/shots/{shot.id}/comments"
    async with acting({organization_id: Role.EDITOR}) as editor:
        body = {"text": "Creased here", "prediction_id": str(image.id), "x": 0.25, "y": 1}
        made = await editor.post(url, json=body)
        assert made.status_code == 201, made.text
        comment = made.json()
        assert {name: comment[name] for name in body} == body
        assert comment["author_id"] == (await editor.get("/users/me")).json()["id"]
        assert (await editor.get(url)).json()["items"] == [comment]
        one = f"{url}/{comment['id']}"
        changed = await editor.patch(one, json={"x": None, "y": None, "is_resolved": True})
        assert (changed.json()["x"], changed.json()["text"]) == (None, "Creased here")
        assert changed.json()["resolved_at"] is not None
        reopened = await editor.patch(one, json={"is_resolved": False})
        assert reopened.json()["resolved_at"] is None
        assert (await editor.delete(one)).status_code == 204
        assert (await editor.get(url)).json()["total"] == 0
        gone = await editor.delete(one)
        assert (gone.status_code, gone.json()) == (404, {"detail": "Comment not found"})


async def test_lists_filter(
    acting: As, organization_id: UUID, shot: Shot, image: Prediction
) -> None:
    url = f"/shots/{shot.id}/comments"
    async with acting({organization_id: Role.EDITOR}) as editor:
        await editor.post(url, json={"text": "A"})
        second = await editor.post(url, json={"text": "B", "prediction_id": str(image.id)})
        await editor.patch(f"{url}/{second.json()['id']}", json={"is_resolved": True})

        async def texts(**params: Any) -> str:
            items = (await editor.get(url, params=params)).json()["items"]
            return "".join(one["text"] for one in items)

        assert await texts(sort="created_at") == "AB"
        assert await texts(prediction_id=str(image.id)) == "B"
        assert await texts(resolved=True) == "B"
        assert await texts(resolved=False) == "A"
        assert await texts(q="a") == "A"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": "A", "x": 0.5}, "y"),
        ({"text": "A", "y": 0.5}, "x"),
        ({"text": "A", "x": 1.01, "y": 0}, "x"),
        ({"text": "A", "x": 0, "y": -0.01}, "y"),
    ],
)
async def test_refusals_name_the_field(
    acting: As, organization_id: UUID, shot: Shot, body: dict[str, Any], field: str
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post(f"/shots/{shot.id}/comments", json=body)
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", field]


async def test_half_a_point_cannot_be_removed(
    acting: As, organization_id: UUID, shot: Shot
) -> None:
    url = f"/shots/{shot.id}/comments"
    async with acting({organization_id: Role.EDITOR}) as editor:
        comment = (await editor.post(url, json={"text": "A", "x": 0.5, "y": 0.5})).json()
        refused = await editor.patch(f"{url}/{comment['id']}", json={"x": None})
        assert refused.json()["detail"][0]["loc"] == ["body", "x"]


async def test_authors_and_admins_change_comments(
    acting: As, organization_id: UUID, shot: Shot
) -> None:
    url = f"/shots/{shot.id}/comments"
    async with (
        acting({organization_id: Role.EDITOR}) as author,
        acting({organization_id: Role.EDITOR}) as colleague,
        acting({organization_id: Role.ADMIN}) as admin,
    ):
        one = f"{url}/{(await author.post(url, json={'text': 'A'})).json()['id']}"
        assert (await colleague.patch(one, json={"text": "B"})).status_code == 403
        assert (await colleague.delete(one)).status_code == 403
        assert (await admin.patch(one, json={"text": "C"})).json()["text"] == "C"
        assert (await author.patch(one, json={"text": "D"})).json()["text"] == "D"
        assert (await admin.delete(one)).status_code == 204


async def test_a_comment_belongs_to_one_shot_and_its_images(
    acting: As,
    gateway: Gateway,
    scope: OrganizationScope,
    organization_id: UUID,
    shot: Shot,
    image: Prediction,
) -> None:
    other = (await make_look(gateway.resources.database, scope)).shots[0]
    async with acting({organization_id: Role.EDITOR}) as editor:
        for prediction_id in (image.id, uuid4()):
            refused = await editor.post(
                f"/shots/{other.id}/comments",
                json={"text": "A", "prediction_id": str(prediction_id)},
            )
            assert refused.json() == {"detail": "Prediction not found"}
        made = await editor.post(f"/shots/{shot.id}/comments", json={"text": "A"})
        elsewhere = f"/shots/{other.id}/comments/{made.json()['id']}"
        assert (await editor.patch(elsewhere, json={"text": "B"})).status_code == 404


async def test_versions(acting: As, organization_id: UUID, shot: Shot) -> None:
    url = f"/shots/{shot.id}/comments"
    async with acting({organization_id: Role.EDITOR}) as editor:
        one = f"{url}/{(await editor.post(url, json={'text': 'A'})).json()['id']}"
        first = (await editor.patch(one, json={"text": "B"})).headers["etag"]
        headers = {"If-Match": first}
        assert (await editor.patch(one, json={"text": "C"}, headers=headers)).status_code == 200
        assert (await editor.patch(one, json={"text": "D"}, headers=headers)).status_code == 412
