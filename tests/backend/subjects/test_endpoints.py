"""Subjects and their pictures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from db.models import Framing, Role, ShotType, Subject, View
from db.repositories import OrganizationScope
from db.session import Database
from tests.backend.conftest import As
from tests.factories.organizations import make_scope
from tests.factories.pictures import picture
from tests.factories.products import make_product
from tests.factories.subjects import make_subject
from tests.fixtures.api import Gateway


@pytest.fixture
async def editor(acting: As, organization_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    async with acting({organization_id: Role.EDITOR}) as editor:
        yield editor


@pytest.fixture
async def subject(gateway: Gateway, organization_id: UUID) -> Subject:
    return await make_subject(gateway.resources.database, OrganizationScope(organization_id))


async def make_shot_type(database: Database, organization_id: UUID) -> ShotType:
    async with database.write() as session:
        kind = ShotType(
            organization_id=organization_id,
            name="Front",
            framing=Framing.FULL_BODY,
            view=View.FRONT,
        )
        session.add(kind)
    return kind


async def add(client: httpx.AsyncClient, subject: Subject, **fields: Any) -> httpx.Response:
    url = f"/subjects/{subject.id}/images"
    form = {name: str(value) for name, value in fields.items()}
    return await client.post(url, files={"file": picture()}, data=form)


async def test_a_subject_from_its_making_to_its_end(editor: httpx.AsyncClient) -> None:
    made = await editor.post("/subjects/", json={"name": "Mira", "age_class": "young"})
    assert made.status_code == 201
    subject = made.json()
    assert (subject["kind"], subject["age_class"], subject["images"]) == ("ai", "young", [])
    url = f"/subjects/{subject['id']}"
    read = await editor.get(url)
    assert read.json() == subject
    patched = await editor.patch(
        url, json={"hair": "red", "age_class": None}, headers={"If-Match": read.headers["etag"]}
    )
    assert (patched.status_code, patched.json()["hair"]) == (200, "red")
    stale = await editor.patch(url, json={}, headers={"If-Match": read.headers["etag"]})
    assert stale.status_code == 412
    assert (await editor.delete(url)).status_code == 204
    assert (await editor.get(url)).json() == {"detail": "Subject not found"}


async def test_lists_filter_by_every_field(
    editor: httpx.AsyncClient, gateway: Gateway, organization_id: UUID
) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    for name, field, value in (
        ("A", "kind", "real"),
        ("B", "age_class", "elder"),
        ("C", "body_type", "athletic"),
        ("D", "skin_tone", "dark"),
        ("E", "hair", "red"),
        ("F", "eye_color", "green"),
        ("G", "gender", "male"),
    ):
        await make_subject(database, scope, name=name, **{field: value})
        listed = await editor.get("/subjects/", params={field: value})
        assert [one["name"] for one in listed.json()["items"]] == [name]
    found = await editor.get("/subjects/", params={"q": "g", "sort": "name"})
    assert [one["name"] for one in found.json()["items"]] == ["G"]


async def test_the_cover_and_the_base_images(
    editor: httpx.AsyncClient, subject: Subject, gateway: Gateway, organization_id: UUID
) -> None:
    front = await make_shot_type(gateway.resources.database, organization_id)
    url = f"/subjects/{subject.id}"
    first = (await add(editor, subject)).json()
    assert (await editor.get(url)).json()["cover_url"] == first["url"]
    second = (await add(editor, subject, is_cover="true", shot_type_id=front.id)).json()
    assert (second["is_cover"], second["shot_type_id"]) == (True, str(front.id))
    assert (await editor.get(url)).json()["cover_url"] == second["url"]
    third = (await add(editor, subject, is_cover="true", shot_type_id=front.id)).json()
    images = (await editor.get(url)).json()["images"]
    assert [one["is_cover"] for one in images] == [False, False, True]
    assert [one["shot_type_id"] for one in images] == [None, None, str(front.id)]
    changed = await editor.patch(
        f"{url}/images/{first['id']}", json={"is_cover": True, "shot_type_id": str(front.id)}
    )
    assert changed.status_code == 200
    assert (await editor.delete(f"{url}/images/{third['id']}")).status_code == 204
    images = (await editor.get(url)).json()["images"]
    assert [(one["id"], one["is_cover"]) for one in images] == [
        (first["id"], True),
        (second["id"], False),
    ]


async def test_a_shot_type_of_others_is_not_found(
    editor: httpx.AsyncClient, subject: Subject, gateway: Gateway
) -> None:
    database = gateway.resources.database
    theirs = await make_shot_type(database, (await make_scope(database)).organization_id)
    refused = await add(editor, subject, shot_type_id=theirs.id)
    assert (refused.status_code, refused.json()) == (404, {"detail": "Shot type not found"})
    image = (await add(editor, subject)).json()
    refused = await editor.patch(
        f"/subjects/{subject.id}/images/{image['id']}", json={"shot_type_id": str(theirs.id)}
    )
    assert (refused.status_code, refused.json()) == (404, {"detail": "Shot type not found"})


async def test_a_file_outlives_a_product_when_a_subject_shows_it(
    editor: httpx.AsyncClient, subject: Subject, gateway: Gateway, organization_id: UUID
) -> None:
    product = await make_product(gateway.resources.database, OrganizationScope(organization_id))
    data = picture()
    for url in (f"/products/{product.id}/images", f"/subjects/{subject.id}/images"):
        assert (await editor.post(url, files={"file": data})).status_code == 201
    twin = await editor.post(f"/subjects/{subject.id}/images", files={"file": data})
    assert twin.status_code == 409
    await editor.delete(f"/products/{product.id}")
    shown = (await editor.get(f"/subjects/{subject.id}")).json()["cover_url"]
    assert (await editor.get(shown)).content == data
    assert (await editor.delete(f"/subjects/{subject.id}")).status_code == 204
    assert (await editor.get(shown)).status_code == 404
