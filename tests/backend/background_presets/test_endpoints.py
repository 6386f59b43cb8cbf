"""Backgrounds: a color, a prompt or a picture; standard or an organization's own."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from configs.presets import load_presets
from db.models import Role
from tests.backend.conftest import As
from tests.factories.pictures import picture

STANDARD = load_presets().backgrounds
SAND = {"name": "Sand", "type": "color", "color": "#E0CBA8"}
STREET = {"name": "Harbour", "type": "prompt", "prompt": "at a harbour"}


async def test_an_own_one_from_its_making_to_its_end(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        made = await editor.post("/background-presets/", json=SAND)
        assert made.status_code == 201
        preset = made.json()
        assert (preset["color"], preset["prompt"], preset["image"]) == ("#e0cba8", None, None)
        url = f"/background-presets/{preset['id']}"
        read = await editor.get(url)
        assert read.json() == preset
        headers = {"If-Match": read.headers["etag"]}
        changed = await editor.patch(url, json={"color": "#ffffff"}, headers=headers)
        assert changed.json()["color"] == "#ffffff"
        assert (await editor.patch(url, json={}, headers=headers)).status_code == 412
        assert (await editor.delete(url)).status_code == 204
        assert (await editor.get(url)).json() == {"detail": "Background not found"}


async def test_lists_filter_and_search(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        for body in (SAND, STREET):
            await editor.post("/background-presets/", json=body)

        async def names(**params: object) -> list[str]:
            response = await editor.get("/background-presets/", params=params)
            assert response.status_code == 200, response.text
            return [one["name"] for one in response.json()["items"]]

        assert await names() == [*(one.name for one in STANDARD), "Harbour", "Sand"]
        assert await names(is_standard=False, sort="-name") == ["Sand", "Harbour"]
        assert await names(type="prompt", q="HARBOUR") == ["Harbour"]


async def test_standard_ones_stay_as_they_are(acting: As, organization_id: UUID) -> None:
    url = f"/background-presets/{STANDARD[0].id}"
    async with acting({organization_id: Role.OWNER}) as owner:
        assert (await owner.get(url)).json()["color"] == "#ffffff"
        for response in await owner.patch(url, json={"name": "Mine"}), await owner.delete(url):
            assert response.status_code == 403
            assert "standard" in response.json()["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"color": None}, "color"),
        ({"color": "sand"}, "color"),
        ({"prompt": "on sand"}, "prompt"),
        ({"type": "image"}, "color"),
        ({"type": "image", "color": None}, "upload_key"),
        ({"type": "prompt", "color": None}, "prompt"),
        ({"type": "video"}, "type"),
    ],
)
async def test_a_new_one_has_the_value_of_its_type(
    acting: As, organization_id: UUID, change: dict[str, object], field: str
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post("/background-presets/", json=SAND | change)
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", field])


async def test_the_type_stays(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        preset = (await editor.post("/background-presets/", json=SAND)).json()
        url = f"/background-presets/{preset['id']}"
        for change, field in (({"prompt": "on sand"}, "prompt"), ({"color": None}, "color")):
            refused = await editor.patch(url, json=change)
            assert refused.status_code == 422
            assert refused.json()["detail"][0]["loc"] == ["body", field]
        assert (await editor.get(url)).json() == preset


async def add_picture(editor: httpx.AsyncClient, data: bytes, **fields: str) -> httpx.Response:
    return await editor.post(
        "/background-presets/images",
        data={"name": "Dunes", **fields},
        files={"file": ("dunes.png", data, "image/png")},
    )


async def test_a_picture(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        data = picture()
        first, second = [
            (await add_picture(editor, data, position=str(position))).json() for position in (1, 2)
        ]
        assert (first["type"], first["color"], first["prompt"]) == ("image", None, None)
        assert first["image"]["content_type"] == "image/png"
        # The same file is kept once, until its last background goes.
        assert first["image"]["url"].partition("?")[0] == second["image"]["url"].partition("?")[0]
        await editor.delete(f"/background-presets/{first['id']}")
        assert (await editor.get(second["image"]["url"])).status_code == 200
        await editor.delete(f"/background-presets/{second['id']}")
        assert (await editor.get(second["image"]["url"])).status_code == 404


async def test_refused_pictures(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        assert (await add_picture(editor, b"no picture")).status_code == 415
        refused = await add_picture(editor, picture(width=8))
        assert refused.json()["detail"][0]["loc"] == ["body", "file"]
        refused = await add_picture(editor, picture(), name="a\0b")
        assert refused.json()["detail"][0]["loc"] == ["body", "name"]
        body = {"name": "Dunes", "type": "image", "upload_key": "temp/nowhere.png"}
        unknown = await editor.post("/background-presets/", json=body)
        assert (unknown.status_code, unknown.json()) == (404, {"detail": "Upload not found"})
