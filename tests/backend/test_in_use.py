"""What looks and shootings are made of cannot be removed under them."""

from __future__ import annotations

from uuid import UUID

from db.models import Role
from db.repositories import OrganizationScope
from tests.backend.conftest import As
from tests.factories.presets import make_background, make_resolution, make_shot_type
from tests.factories.shootings import make_look, make_shooting
from tests.factories.styles import make_guideline, make_style
from tests.fixtures.api import Gateway


async def test_parts_of_a_look(gateway: Gateway, acting: As, organization_id: UUID) -> None:
    database, scope = gateway.resources.database, OrganizationScope(organization_id)
    shot_type = await make_shot_type(database, scope)
    parts = {
        "resolution_preset_id": (await make_resolution(database, scope)).id,
        "background_preset_id": (await make_background(database, scope)).id,
        "style_id": (await make_style(database, scope)).id,
    }
    guideline = await make_guideline(database, scope)
    shooting = await make_shooting(database, scope, guideline_id=guideline.id)
    look = await make_look(
        database, scope, shooting_id=shooting.id, shot_type_ids=[shot_type.id], **parts
    )
    urls = {
        f"/shot-types/{shot_type.id}": "shots; remove those first",
        f"/resolution-presets/{parts['resolution_preset_id']}": "looks; remove those first",
        f"/background-presets/{parts['background_preset_id']}": "looks; remove those first",
        f"/styles/{parts['style_id']}": "looks; archive it instead",
        f"/guidelines/{guideline.id}": "shootings; archive it instead",
    }
    async with acting({organization_id: Role.EDITOR}) as editor:
        for url, reason in urls.items():
            refused = await editor.delete(url)
            assert refused.status_code == 409, url
            assert refused.json()["detail"].endswith(f"is still used by {reason}")
        assert (await editor.delete(f"/looks/{look.id}")).status_code == 204
        assert (await editor.delete(f"/shootings/{shooting.id}")).status_code == 204
        for url in urls:
            assert (await editor.delete(url)).status_code == 204, url
