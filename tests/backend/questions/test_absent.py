"""An installation without keys."""

from __future__ import annotations

from tests.fixtures.studio import StudioUnderTest


async def test_without_a_key_nothing_is_asked(studio: StudioUnderTest) -> None:
    refused = await studio.post(f"/looks/{studio.look_id}/suggest-outfit", 409)
    assert "no key" in refused["detail"]
    models = await studio.get("/generation-models/")
    assert {one["provider"] for one in models["items"]} == {None}
