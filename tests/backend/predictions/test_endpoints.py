"""Predictions: shown, selected, rejected, removed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from db.models import Prediction, Role, Shot
from db.repositories import EventRepository, OrganizationScope
from tests.backend.conftest import As
from tests.factories.generations import make_generation, make_prediction, put_in_review
from tests.factories.shootings import make_look
from tests.fixtures.api import Gateway


@pytest.fixture
def scope(organization_id: UUID) -> OrganizationScope:
    return OrganizationScope(organization_id)


@pytest.fixture
async def shot(gateway: Gateway, scope: OrganizationScope) -> Shot:
    return (await make_look(gateway.resources.database, scope)).shots[0]


@pytest.fixture
async def images(gateway: Gateway, scope: OrganizationScope, shot: Shot) -> list[Prediction]:
    resources = gateway.resources
    return await put_in_review(resources.database, scope, shot, store=resources.store)


async def test_a_prediction_is_its_image(
    acting: As, gateway: Gateway, scope: OrganizationScope, images: list[Prediction]
) -> None:
    async with acting({scope.organization_id: Role.VIEWER}) as viewer:
        url = f"/predictions/{images[1].id}"
        first = await viewer.get(url)
        assert (first.json()["index"], first.json()["seed"]) == (1, 8)
        assert (first.json()["status"], first.json()["scores"]) == ("review", None)
        headers = {"If-None-Match": first.headers["etag"]}
        assert (await viewer.get(url, headers=headers)).status_code == 304
    async with gateway.client(None) as anybody:
        image = await anybody.get(first.json()["image_url"])
    assert (image.status_code, len(image.content)) == (200, images[1].size)


async def test_lists_filter(
    acting: As,
    gateway: Gateway,
    scope: OrganizationScope,
    shot: Shot,
    images: list[Prediction],
) -> None:
    database = gateway.resources.database
    generation = await make_generation(database, scope, shot)
    scores = {"garment_color": 0.875, "confidence": 0.75}
    scored = await make_prediction(database, scope, generation, scores=scores)
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        await editor.post(f"/predictions/{images[0].id}/reject")

        async def ids(**params: Any) -> list[str]:
            listed = await editor.get("/predictions/", params=params)
            return [one["id"] for one in listed.json()["items"]]

        assert await ids() == [str(one.id) for one in (scored, *reversed(images))]
        assert await ids(generation_id=str(generation.id)) == [str(scored.id)]
        assert len(await ids(shot_id=str(shot.id))) == 3
        assert await ids(status="rejected") == [str(images[0].id)]
        assert await ids(sort="index", generation_id=str(images[0].generation_id)) == [
            str(one.id) for one in images
        ]
        assert (await editor.get(f"/predictions/{scored.id}")).json()["scores"] == scores


async def test_select_and_reject(
    acting: As, gateway: Gateway, scope: OrganizationScope, shot: Shot, images: list[Prediction]
) -> None:
    async with acting({scope.organization_id: Role.EDITOR}) as editor:
        url = f"/predictions/{images[1].id}"
        rejected = await editor.post(f"{url}/reject")
        assert (rejected.status_code, rejected.json()["status"]) == (200, "rejected")
        selected = await editor.post(f"{url}/select")
        assert (selected.status_code, selected.json()["status"]) == (200, "review")
        shown = (await editor.get(f"/shots/{shot.id}")).json()
        assert (shown["current_prediction_id"], shown["status"]) == (str(images[1].id), "review")
    async with gateway.resources.database.read() as session:
        events = await EventRepository(session, scope).after(0)
    assert [(event.kind, event.data["shot_id"]) for event in events] == [
        ("prediction.rejected", str(shot.id)),
        ("prediction.selected", str(shot.id)),
    ]


async def test_an_approved_shot_keeps_its_image(
    acting: As, organization_id: UUID, shot: Shot, images: list[Prediction]
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        approved, other = (f"/predictions/{one.id}" for one in images)
        body = {"prediction_id": str(images[0].id)}
        assert (await editor.post(f"/shots/{shot.id}/approve", json=body)).status_code == 200
        for refused in (
            await editor.post(f"{other}/select"),
            await editor.post(f"{approved}/reject"),
            await editor.delete(approved),
        ):
            assert (refused.status_code, "approved" in refused.json()["detail"]) == (409, True)
        assert (await editor.post(f"{other}/reject")).status_code == 200
        assert (await editor.get(approved)).json()["status"] == "approved"


async def test_what_a_shot_shows_is_not_removed(
    acting: As, organization_id: UUID, shot: Shot, images: list[Prediction]
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        first, second = (f"/predictions/{one.id}" for one in images)
        refused = await editor.delete(first)
        assert (refused.status_code, "select another" in refused.json()["detail"]) == (409, True)
        await editor.post(f"{second}/select")
        assert (await editor.delete(first)).status_code == 204
        gone = await editor.get(first)
        assert (gone.status_code, gone.json()) == (404, {"detail": "Prediction not found"})
