"""Resolutions: the standard ones are everybody's, added ones their organization's."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from configs.presets import load_presets
from db.models import Role
from tests.backend.conftest import As

STANDARD = load_presets().resolutions
TILE = {"name": "Tile", "width": 320, "height": 480}


async def test_an_own_one_from_its_making_to_its_end(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        headers = {"Idempotency-Key": uuid4().hex}
        first, twin = [
            await editor.post("/resolution-presets/", json=TILE, headers=headers) for _ in range(2)
        ]
        assert (first.status_code, twin.json()) == (201, first.json())
        preset = first.json()
        assert {name: preset[name] for name in TILE} == TILE
        url = f"/resolution-presets/{preset['id']}"
        changed = await editor.patch(url, json={"height": 640, "position": 0})
        assert (changed.json()["width"], changed.json()["height"]) == (320, 640)
        read = await editor.get(url)
        assert read.json() == changed.json()
        headers = {"If-None-Match": read.headers["etag"]}
        assert (await editor.get(url, headers=headers)).status_code == 304
        assert (await editor.delete(url)).status_code == 204
        assert (await editor.get(url)).json() == {"detail": "Resolution not found"}


async def test_lists_filter_and_sort(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        await editor.post("/resolution-presets/", json=TILE)

        async def names(**params: object) -> list[str]:
            response = await editor.get("/resolution-presets/", params=params)
            assert response.status_code == 200, response.text
            return [one["name"] for one in response.json()["items"]]

        assert await names() == [one.name for one in STANDARD] + ["Tile"]
        assert await names(is_standard=False) == ["Tile"]
        assert await names(width=1024, height=1024) == ["Square"]
        assert (await names(sort="width,height"))[0] == "Tile"
        assert await names(q="story") == ["Story 9:16"]


async def test_standard_ones_stay_as_they_are(acting: As, organization_id: UUID) -> None:
    url = f"/resolution-presets/{STANDARD[0].id}"
    async with acting({organization_id: Role.OWNER}) as owner:
        for response in await owner.patch(url, json={"width": 64}), await owner.delete(url):
            assert response.status_code == 403
            assert "standard" in response.json()["detail"]


@pytest.mark.parametrize("side", [0, 63, 8193, 100.5, None])
async def test_refusals_name_the_field(acting: As, organization_id: UUID, side: object) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post("/resolution-presets/", json=TILE | {"width": side})
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "width"])
