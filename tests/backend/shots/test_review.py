"""Review: every decision in every state, and two reviewers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from db.models import Event, Prediction, Role, Shot, ShotStatus
from db.repositories import EventRepository, OrganizationScope
from db.repositories.shots import ShotWriter
from serve_app.backend.shots.review import Action
from tests.backend.conftest import As
from tests.factories.generations import make_generation, make_prediction, put_in_review
from tests.factories.shootings import make_look
from tests.fixtures.api import Gateway


@dataclass(frozen=True, slots=True)
class Desk:
    """A reviewer, and a shot in review with two images, the first one shown."""

    gateway: Gateway
    scope: OrganizationScope
    editor: httpx.AsyncClient
    shot: Shot
    images: list[Prediction]

    @property
    def url(self) -> str:
        return f"/shots/{self.shot.id}"

    async def post(self, action: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return await self.editor.post(f"{self.url}/{action}", json=body)

    async def approve(self, image: int = 0, **body: Any) -> httpx.Response:
        return await self.post("approve", {"prediction_id": str(self.images[image].id), **body})

    async def read(self) -> dict[str, Any]:
        shot: dict[str, Any] = (await self.editor.get(self.url)).json()
        return shot

    async def images_are(self) -> list[str]:
        urls = [f"/predictions/{one.id}" for one in self.images]
        return [(await self.editor.get(url)).json()["status"] for url in urls]

    async def events(self) -> list[Event]:
        async with self.gateway.resources.database.read() as session:
            return list(await EventRepository(session, self.scope).after(0))

    async def bring_to(self, status: ShotStatus) -> None:
        database = self.gateway.resources.database
        async with database.write() as session:
            shots = ShotWriter(session, self.scope)
            locked = await shots.lock(self.shot.id)
            assert locked is not None
            await shots.move(locked, status, {})


@pytest.fixture
async def desk(acting: As, gateway: Gateway, organization_id: UUID) -> AsyncIterator[Desk]:
    scope = OrganizationScope(organization_id)
    shot = (await make_look(gateway.resources.database, scope)).shots[0]
    images = await put_in_review(gateway.resources.database, scope, shot)
    async with acting({organization_id: Role.EDITOR}) as editor:
        yield Desk(gateway, scope, editor, shot, images)


async def test_approve(desk: Desk) -> None:
    response = await desk.approve(1, notes="Lovely")
    assert response.status_code == 200, response.text
    shot = response.json()
    assert (shot["status"], shot["current_prediction_id"]) == ("approved", str(desk.images[1].id))
    revision = shot["revisions"][0]
    assert (revision["status"], revision["decision_notes"]) == ("approved", "Lovely")
    assert revision["prediction_id"] == str(desk.images[1].id)
    me = (await desk.editor.get("/users/me")).json()["id"]
    assert revision["decided_by"] == me
    assert await desk.images_are() == ["review", "approved"]
    (event,) = await desk.events()
    assert (event.kind, event.subject_id) == ("shot.approved", shot["id"])
    assert event.data == {
        "shot_id": shot["id"],
        "shooting_id": shot["shooting_id"],
        "revision": 1,
        "prediction_id": str(desk.images[1].id),
        "user_id": me,
    }


async def test_reject_and_take_up_again(desk: Desk) -> None:
    rejected = await desk.post("reject", {"reason": "Wrong colour", "notes": "Too blue"})
    assert rejected.json()["status"] == "rejected"
    refused = await desk.approve()
    assert refused.status_code == 409
    assert refused.json()["detail"] == "Ada Lovelace has rejected this shot: Wrong colour"
    again = (await desk.post("request-revision", {"notes": "Less blue"})).json()
    assert (again["status"], again["revision"]) == ("pending", 2)
    first, second = again["revisions"]
    assert (first["status"], first["reason"]) == ("rejected", "Wrong colour")
    assert first["decision_notes"] == "Too blue"
    assert (second["number"], second["status"], second["notes"]) == (2, "pending", "Less blue")
    kinds = [event.kind for event in await desk.events()]
    assert kinds == ["shot.rejected", "shot.revision_requested"]
    assert (await desk.events())[1].data["revision"] == 2


async def test_images_of_an_earlier_revision_cannot_be_approved(desk: Desk) -> None:
    await desk.post("request-revision", {"notes": "Closer"})
    await desk.bring_to(ShotStatus.REVIEW)
    refused = await desk.approve()
    assert refused.status_code == 409
    assert "revision 1" in refused.json()["detail"]
    database, shot = desk.gateway.resources.database, desk.shot
    generation = await make_generation(database, desk.scope, shot, revision=2)
    image = await make_prediction(database, desk.scope, generation)
    approved = await desk.post("approve", {"prediction_id": str(image.id)})
    assert approved.status_code == 200
    statuses = [one["status"] for one in approved.json()["revisions"]]
    assert statuses == ["review", "approved"]


async def test_unapprove(desk: Desk) -> None:
    await desk.approve()
    shot = (await desk.post("unapprove")).json()
    assert (shot["status"], shot["current_prediction_id"]) == ("review", str(desk.images[0].id))
    revision = shot["revisions"][0]
    assert [revision[name] for name in ("prediction_id", "decided_by", "decided_at")] == [None] * 3
    assert await desk.images_are() == ["review", "review"]
    assert (await desk.events())[-1].kind == "shot.unapproved"
    assert (await desk.approve(1)).status_code == 200


BODIES: dict[Action, dict[str, Any]] = {
    Action.REJECT: {"reason": "Wrong colour"},
    Action.REQUEST_REVISION: {"notes": "Closer"},
    Action.UNAPPROVE: {},
}
# What may be decided, and what becomes of the shot; nothing else may.
ALLOWED = {
    (ShotStatus.REVIEW, Action.APPROVE): ("approved", "shot.approved"),
    (ShotStatus.REVIEW, Action.REJECT): ("rejected", "shot.rejected"),
    (ShotStatus.REVIEW, Action.REQUEST_REVISION): ("pending", "shot.revision_requested"),
    (ShotStatus.REJECTED, Action.REQUEST_REVISION): ("pending", "shot.revision_requested"),
    (ShotStatus.APPROVED, Action.UNAPPROVE): ("review", "shot.unapproved"),
}


@pytest.mark.parametrize("status", ShotStatus)
@pytest.mark.parametrize("action", Action)
async def test_every_decision_in_every_state(
    desk: Desk, status: ShotStatus, action: Action
) -> None:
    await desk.bring_to(status)
    before = await desk.read()
    body = BODIES.get(action, {"prediction_id": str(desk.images[0].id)})
    response = await desk.post(action.value.replace("_", "-"), body)
    if (status, action) in ALLOWED:
        target, kind = ALLOWED[status, action]
        assert (response.status_code, response.json()["status"]) == (200, target)
        assert [event.kind for event in await desk.events()] == [kind]
    else:
        assert response.status_code == 409
        assert isinstance(response.json()["detail"], str)
        assert await desk.read() == before
        assert await desk.events() == []


@pytest.mark.parametrize("attempt", range(5))
async def test_two_reviewers_at_once(acting: As, desk: Desk, attempt: int) -> None:
    """Approved and rejected in the same moment: one of them holds, and the other is told."""
    async with acting({desk.scope.organization_id: Role.ADMIN}) as other:
        decisions = [
            desk.approve(),
            other.post(f"{desk.url}/reject", json={"reason": "Wrong colour"}),
        ]
        # Whoever is sent first mostly wins.
        if attempt % 2:
            decisions.reverse()
        responses = await asyncio.gather(*decisions)
    done, told = sorted(responses, key=lambda one: one.status_code)
    assert (done.status_code, told.status_code) == (200, 409)
    shot = await desk.read()
    assert shot == done.json() | {"current_image_url": shot["current_image_url"]}
    revision = shot["revisions"][0]
    if shot["status"] == "approved":
        said = "Ada Lovelace has approved this shot; unapprove it first"
        assert revision["reason"] is None
        assert await desk.images_are() == ["approved", "review"]
    else:
        said = "Ada Lovelace has rejected this shot: Wrong colour"
        assert revision["prediction_id"] is None
        assert await desk.images_are() == ["review", "review"]
    assert told.json() == {"detail": said}
    assert [event.kind for event in await desk.events()] == [f"shot.{shot['status']}"]


async def test_the_second_of_two_who_ask_for_a_revision_is_told(desk: Desk) -> None:
    first, second = await asyncio.gather(
        *(desk.post("request-revision", {"notes": notes}) for notes in ("Closer", "Brighter"))
    )
    done, told = sorted((first, second), key=lambda one: one.status_code)
    assert (done.status_code, told.status_code) == (200, 409)
    notes = done.json()["revisions"][1]["notes"]
    assert told.json() == {"detail": f"A revision of this shot has been requested: {notes}"}
    assert (await desk.read())["revision"] == 2


async def test_a_reviewer_may_say_what_was_looked_at(desk: Desk) -> None:
    etag = (await desk.editor.get(desk.url)).headers["etag"]
    await desk.post("request-revision", {"notes": "Closer", "revision": 1})
    await desk.bring_to(ShotStatus.REVIEW)
    old = await desk.post("reject", {"reason": "Wrong colour", "revision": 1})
    assert (old.status_code, "revision 2" in old.json()["detail"]) == (409, True)
    body = {"reason": "Wrong colour"}
    stale = await desk.editor.post(f"{desk.url}/reject", json=body, headers={"If-Match": etag})
    assert stale.status_code == 412
    etag = (await desk.editor.get(desk.url)).headers["etag"]
    fresh = await desk.editor.post(f"{desk.url}/reject", json=body, headers={"If-Match": etag})
    assert fresh.status_code == 200
    assert fresh.headers["etag"] == (await desk.editor.get(desk.url)).headers["etag"]


async def test_only_images_of_the_shot_can_be_approved(desk: Desk) -> None:
    database = desk.gateway.resources.database
    neighbour = (await make_look(database, desk.scope)).shots[0]
    (image,) = await put_in_review(database, desk.scope, neighbour, images=1)
    for foreign in (image.id, uuid4()):
        response = await desk.post("approve", {"prediction_id": str(foreign)})
        assert (response.status_code, response.json()) == (404, {"detail": "Prediction not found"})


async def test_a_rejected_image_is_selected_before_it_is_approved(desk: Desk) -> None:
    image = f"/predictions/{desk.images[1].id}"
    await desk.editor.post(f"{image}/reject")
    refused = await desk.approve(1)
    assert (refused.status_code, "rejected" in refused.json()["detail"]) == (409, True)
    await desk.editor.post(f"{image}/select")
    assert (await desk.approve(1)).status_code == 200


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("approve", {}, "prediction_id"),
        ("approve", {"prediction_id": "no id"}, "prediction_id"),
        ("reject", {}, "reason"),
        ("reject", {"reason": ""}, "reason"),
        ("request-revision", {}, "notes"),
        ("request-revision", {"notes": "Closer", "revision": 0}, "revision"),
        ("unapprove", {"why": "no"}, "why"),
    ],
)
async def test_refusals_name_the_field(
    desk: Desk, action: str, body: dict[str, Any], field: str
) -> None:
    refused = await desk.post(action, body)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", field]
