"""Shot types: the standard ones are everybody's, added ones their organization's."""

from __future__ import annotations

from uuid import UUID

import pytest

from configs.presets import load_presets
from db.models import Role
from tests.backend.conftest import As

STANDARD = load_presets().shot_types
CUFF = {"name": "Cuff", "framing": "detail", "view": "front", "prompt": "close-up of the cuff"}


async def test_an_own_one_from_its_making_to_its_end(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        made = await editor.post("/shot-types/", json=CUFF)
        assert made.status_code == 201
        shot_type = made.json()
        assert {name: shot_type[name] for name in CUFF} == CUFF
        assert (shot_type["is_standard"], shot_type["position"]) == (False, 100)
        url = f"/shot-types/{shot_type['id']}"
        read = await editor.get(url)
        assert read.json() == shot_type
        headers = {"If-Match": read.headers["etag"]}
        changed = await editor.patch(url, json={"view": "side", "prompt": None}, headers=headers)
        assert (changed.json()["view"], changed.json()["prompt"]) == ("side", None)
        stale = await editor.patch(url, json={"view": "back"}, headers=headers)
        assert stale.status_code == 412
        assert (await editor.delete(url)).status_code == 204
        assert (await editor.get(url)).json() == {"detail": "Shot type not found"}


async def test_lists_show_standard_and_own_ones(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        await editor.post("/shot-types/", json=CUFF)

        async def names(**params: object) -> list[str]:
            response = await editor.get("/shot-types/", params={"size": 100, **params})
            assert response.status_code == 200, response.text
            return [one["name"] for one in response.json()["items"]]

        assert await names() == [one.name for one in STANDARD] + ["Cuff"]
        assert await names(is_standard=False) == ["Cuff"]
        assert await names(is_standard=True) == [one.name for one in STANDARD]
        assert await names(framing="detail", view="front") == ["Detail, front", "Cuff"]
        assert len(await names(framing=["detail", "full_body"])) == 7
        assert await names(q="CUFF") == ["Cuff"]
        assert (await names(sort="-name"))[0] == "Upper three quarters, side"


async def test_standard_ones_stay_as_they_are(acting: As, organization_id: UUID) -> None:
    url = f"/shot-types/{STANDARD[0].id}"
    async with acting({organization_id: Role.OWNER}) as owner:
        assert (await owner.get(url)).json()["is_standard"] is True
        for response in await owner.patch(url, json={"name": "Mine"}), await owner.delete(url):
            assert response.status_code == 403
            assert "standard" in response.json()["detail"]
        assert (await owner.get(url)).json()["name"] == STANDARD[0].name


async def test_an_own_one_is_nobody_elses(
    acting: As, organization_id: UUID, another_organization_id: UUID
) -> None:
    async with (
        acting({organization_id: Role.EDITOR}) as editor,
        acting({another_organization_id: Role.EDITOR}) as stranger,
    ):
        url = f"/shot-types/{(await editor.post('/shot-types/', json=CUFF)).json()['id']}"
        for response in (
            await stranger.get(url),
            await stranger.patch(url, json={"name": "Mine"}),
            await stranger.delete(url),
        ):
            assert (response.status_code, response.json()) == (
                404,
                {"detail": "Shot type not found"},
            )
        listed = await stranger.get("/shot-types/", params={"is_standard": False})
        assert listed.json()["total"] == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": ""}, "name"), ({"framing": "nose"}, "framing"), ({"view": None}, "view")],
)
async def test_refusals_name_the_field(
    acting: As, organization_id: UUID, change: dict[str, object], field: str
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post("/shot-types/", json=CUFF | change)
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", field])
        url = f"/shot-types/{(await editor.post('/shot-types/', json=CUFF)).json()['id']}"
        refused = await editor.patch(url, json=change)
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", field])
