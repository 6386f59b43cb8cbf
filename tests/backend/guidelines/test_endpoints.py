"""Guidelines and their rules for shot types."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx
import pytest

from configs.presets import load_presets
from db.models import Role
from tests.backend.conftest import As

FRONT, BACK, *_ = [str(one.id) for one in load_presets().shot_types]


def rule(shot_type_id: str, prompt: str | None = "shoes visible") -> dict[str, str | None]:
    return {"shot_type_id": shot_type_id, "prompt": prompt, "negative_prompt": None}


async def make(editor: httpx.AsyncClient, **values: object) -> dict[str, object]:
    response = await editor.post("/guidelines/", json={"name": "Shop", **values})
    assert response.status_code == 201, response.text
    made: dict[str, object] = response.json()
    return made


async def test_guidelines_from_their_making_to_their_end(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        brand = (await editor.post("/brands/", json={"name": "Nord"})).json()
        rules = [rule(FRONT), rule(BACK, None)]
        guideline = await make(editor, brand_id=brand["id"], prompt="relaxed", rules=rules)
        assert (guideline["brand_id"], guideline["rules"]) == (brand["id"], rules)
        url = f"/guidelines/{guideline['id']}"
        read = await editor.get(url)
        assert read.json() == guideline
        headers = {"If-Match": read.headers["etag"]}
        kept = await editor.patch(url, json={"name": "Web", "brand_id": None}, headers=headers)
        assert (kept.json()["name"], kept.json()["rules"]) == ("Web", rules)
        assert (await editor.patch(url, json={}, headers=headers)).status_code == 412
        replaced = await editor.patch(url, json={"rules": [rule(BACK, "hair up")]})
        assert replaced.json()["rules"] == [rule(BACK, "hair up")]
        assert (await editor.get(url)).json() == replaced.json()
        assert (await editor.delete(url)).status_code == 204
        assert (await editor.get(url)).json() == {"detail": "Guideline not found"}


async def test_single_rules(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        url = f"/guidelines/{(await make(editor, rules=[rule(FRONT)]))['id']}"
        first = (await editor.get(url)).headers["etag"]
        for prompt in ("hair up", "hair down"):
            put = await editor.put(f"{url}/rules/{BACK}", json={"prompt": prompt})
            assert (put.status_code, put.json()) == (200, rule(BACK, prompt))
        read = await editor.get(url)
        assert read.json()["rules"] == [rule(FRONT), rule(BACK, "hair down")]
        assert read.headers["etag"] == put.headers["etag"] != first
        stale = await editor.put(f"{url}/rules/{BACK}", json={}, headers={"If-Match": first})
        assert stale.status_code == 412
        assert (await editor.delete(f"{url}/rules/{FRONT}")).status_code == 204
        assert (await editor.get(url)).json()["rules"] == [rule(BACK, "hair down")]
        gone = await editor.delete(f"{url}/rules/{FRONT}")
        assert (gone.status_code, gone.json()) == (404, {"detail": "Rule not found"})


async def test_a_rule_goes_with_its_shot_type(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        body = {"name": "Cuff", "framing": "detail", "view": "front"}
        own = (await editor.post("/shot-types/", json=body)).json()["id"]
        url = f"/guidelines/{(await make(editor, rules=[rule(own)]))['id']}"
        assert (await editor.delete(f"/shot-types/{own}")).status_code == 204
        assert (await editor.get(url)).json()["rules"] == []


async def test_lists_filter_and_search(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        brand = (await editor.post("/brands/", json={"name": "Nord"})).json()["id"]
        await make(editor, name="Of a brand", brand_id=brand, rules=[rule(FRONT)])
        await make(editor, name="Of any", prompt="relaxed")

        async def names(**params: object) -> list[str]:
            response = await editor.get("/guidelines/", params=params)
            return [one["name"] for one in response.json()["items"]]

        assert await names() == ["Of any", "Of a brand"]
        assert await names(brand_id=brand) == ["Of a brand"]
        assert await names(q="RELAX") == ["Of any"]
        refused = await editor.delete(f"/brands/{brand}")
        assert refused.status_code == 409
        assert "guidelines" in refused.json()["detail"]


async def test_foreign_ids_are_not_found(
    acting: As, organization_id: UUID, another_organization_id: UUID
) -> None:
    async with (
        acting({organization_id: Role.EDITOR}) as editor,
        acting({another_organization_id: Role.EDITOR}) as stranger,
    ):
        brand = (await stranger.post("/brands/", json={"name": "Theirs"})).json()["id"]
        body = {"name": "Theirs", "framing": "detail", "view": "front"}
        shot_type = (await stranger.post("/shot-types/", json=body)).json()["id"]
        theirs = f"/guidelines/{(await make(stranger))['id']}"
        mine = f"/guidelines/{(await make(editor))['id']}"

        for field, value, name in (
            ("brand_id", brand, "Brand"),
            ("rules", [rule(shot_type)], "Shot type"),
            ("rules", [rule(str(uuid4()))], "Shot type"),
        ):
            for response in (
                await editor.post("/guidelines/", json={"name": "Shop", field: value}),
                await editor.patch(mine, json={field: value}),
            ):
                assert (response.status_code, response.json()) == (
                    404,
                    {"detail": f"{name} not found"},
                )
        assert (await editor.put(f"{mine}/rules/{shot_type}", json={})).status_code == 404
        for response in (
            await editor.get(theirs),
            await editor.patch(theirs, json={"name": "Mine"}),
            await editor.put(f"{theirs}/rules/{FRONT}", json={}),
            await editor.delete(f"{theirs}/rules/{FRONT}"),
            await editor.delete(theirs),
        ):
            assert (response.status_code, response.json()) == (
                404,
                {"detail": "Guideline not found"},
            )


@pytest.mark.parametrize(
    ("rules", "loc"),
    [
        ([rule(FRONT), rule(FRONT)], ["body", "rules", 1, "shot_type_id"]),
        ([rule("no-uuid")], ["body", "rules", 0, "shot_type_id"]),
        ([rule(FRONT, "a\0b")], ["body", "rules", 0, "prompt"]),
        (None, ["body", "rules"]),
    ],
)
async def test_refusals_name_the_field(
    acting: As, organization_id: UUID, rules: object, loc: list[object]
) -> None:
    async with acting({organization_id: Role.EDITOR}) as editor:
        refused = await editor.post("/guidelines/", json={"name": "Shop", "rules": rules})
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, loc)
        url = f"/guidelines/{(await make(editor))['id']}"
        refused = await editor.patch(url, json={"rules": rules})
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, loc)
