"""Styles, from their making to their end."""

from __future__ import annotations

from uuid import UUID

import pytest

from db.models import Role
from tests.backend.conftest import As

NORDIC = {
    "name": "Nordic",
    "description": "Calm",
    "lighting": "soft natural light",
    "tone": "muted",
    "palette": ["sand", "#7d8c94"],
    "prompt": "editorial fashion photography",
    "negative_prompt": "harsh shadows",
}


async def test_a_style_from_its_making_to_its_end(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        made = await editor.post("/styles/", json=NORDIC)
        assert made.status_code == 201
        style = made.json()
        assert {name: style[name] for name in NORDIC} == NORDIC
        url = f"/styles/{style['id']}"
        read = await editor.get(url)
        assert read.json() == style
        headers = {"If-Match": read.headers["etag"]}
        changed = await editor.patch(url, json={"palette": [], "tone": None}, headers=headers)
        assert changed.json() == style | {
            "palette": [],
            "tone": None,
            "updated_at": changed.json()["updated_at"],
        }
        assert (await editor.patch(url, json={}, headers=headers)).status_code == 412
        assert (await editor.delete(url)).status_code == 204
        assert (await editor.get(url)).json() == {"detail": "Style not found"}


async def test_lists_search_and_filter(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        await editor.post("/styles/", json=NORDIC)
        neon = (await editor.post("/styles/", json={"name": "Neon"})).json()
        assert neon["palette"] == []
        await editor.patch(f"/styles/{neon['id']}", json={"is_archived": True})

        async def names(**params: object) -> list[str]:
            response = await editor.get("/styles/", params=params)
            return [one["name"] for one in response.json()["items"]]

        assert await names() == ["Neon", "Nordic"]
        assert await names(archived=False) == ["Nordic"]
        assert await names(q="EDITORIAL") == ["Nordic"]
        assert await names(sort="-name") == ["Nordic", "Neon"]


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"name": ""}, ["body", "name"]),
        ({"palette": ["red"] * 17}, ["body", "palette"]),
        ({"palette": ["red", "a\0b"]}, ["body", "palette", 1]),
        ({"palette": None}, ["body", "palette"]),
        ({"tone": "\0"}, ["body", "tone"]),
    ],
)
async def test_refusals_name_the_field(
    acting: As, organization_id: UUID, change: dict[str, object], loc: list[object]
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post("/styles/", json=NORDIC | change)
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, loc)
        url = f"/styles/{(await editor.post('/styles/', json=NORDIC)).json()['id']}"
        refused = await editor.patch(url, json=change)
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, loc)
