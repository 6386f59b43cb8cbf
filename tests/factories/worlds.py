"""Organizations with one of everything, made through the API by their owners."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from db.models import Role
from db.repositories import OrganizationScope
from db.repositories.looks import LookRepository
from serve_app.gateway import BACKEND_BASE
from tests.factories.adapters import make_adapter
from tests.factories.generations import put_in_review
from tests.factories.organizations import make_organization
from tests.factories.pictures import picture
from tests.factories.tasks import make_task
from tests.factories.users import make_token, make_user
from tests.fixtures.api import Gateway

# Names that no path has.
FURTHER_PRODUCT = "a product that is in no look"
LORA = "a LoRA, which has a path in the Compute API"


@dataclass(frozen=True, slots=True)
class World:
    """An organization and its objects.

    Attributes:
        token: of its owner.
        ids: of the objects, by the template of their path.
    """

    gateway: Gateway
    scope: OrganizationScope
    token: str
    ids: dict[str, str] = field(default_factory=dict)

    def client(self) -> httpx.AsyncClient:
        """The Backend API, for the owner."""
        return self.gateway.client(self.token, BACKEND_BASE)

    def __getitem__(self, template: str) -> str:
        return self.ids[template]


async def make_world(gateway: Gateway) -> World:
    database = gateway.resources.database
    organization = await make_organization(database)
    owner = await make_user(database, memberships={organization.id: Role.OWNER})
    token = await make_token(gateway.resources, owner)
    world = World(gateway, OrganizationScope(organization.id), token)
    async with world.client() as client:
        await _Builder(world, client).build()
    return world


class _Builder:
    """Makes a world's objects, each after those that it refers to."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self._world = world
        self._client = client

    async def build(self) -> None:
        await self._organization()
        await self._catalog()
        await self._presets()
        await self._studio()
        await self._images()

    async def _make(self, template: str, url: str, **options: Any) -> str:
        """Make an object, and note its id under the template of its path."""
        made = await self._client.post(url, **options)
        assert made.status_code == 201, f"{url}: {made.text}"
        self._world.ids[template] = made.json()["id"]
        return self._world.ids[template]

    async def _organization(self) -> None:
        world, database = self._world, self._world.gateway.resources.database
        organization = world.scope.organization_id
        world.ids["/organizations/{organization_id}"] = str(organization)
        member = await make_user(database, memberships={organization: Role.VIEWER})
        world.ids["/users/{user_id}"] = str(member.id)
        world.ids["/organizations/{organization_id}/members/{user_id}"] = str(member.id)
        await self._make(
            "/organizations/{organization_id}/invitations/{invitation_id}",
            f"/organizations/{organization}/invitations/",
            json={"email": f"new-of-{organization.hex}@example.com"},
        )
        await self._make("/api-keys/{api_key_id}", "/api-keys/", json={"name": "Nightly import"})
        subscription = await self._client.get("/subscriptions/current")
        world.ids["/subscriptions/{subscription_id}"] = subscription.json()["id"]

    async def _catalog(self) -> None:
        await self._make("/brands/{brand_id}", "/brands/", json={"name": "Nord"})
        for template, sku in (("/products/{product_id}", "A"), (FURTHER_PRODUCT, "B")):
            await self._make(template, "/products/", json={"name": "Dress", "sku": sku})
        await self._make("/subjects/{subject_id}", "/subjects/", json={"name": "Mira"})
        database = self._world.gateway.resources.database
        lora = await make_adapter(database, self._world.scope)
        self._world.ids[LORA] = str(lora.id)
        self._world.ids["/tasks/{task_id}"] = await make_task(database, self._world.scope)
        for template in ("/products/{product_id}", "/subjects/{subject_id}"):
            resource = template.partition("{")[0]
            url = f"{resource}{self._world[template]}/images"
            image = f"{template}/images/{{image_id}}"
            await self._make(image, url, files={"file": ("a.png", picture())})

    async def _presets(self) -> None:
        shot_type = await self._make(
            "/shot-types/{shot_type_id}",
            "/shot-types/",
            json={"name": "Cuffs", "framing": "detail", "view": "front"},
        )
        await self._make(
            "/background-presets/{preset_id}",
            "/background-presets/",
            json={"name": "Sand", "type": "color", "color": "#e0cba8"},
        )
        await self._make(
            "/resolution-presets/{preset_id}",
            "/resolution-presets/",
            json={"name": "Tile", "width": 320, "height": 480},
        )
        await self._make("/styles/{style_id}", "/styles/", json={"name": "Nordic light"})
        guideline = await self._make(
            "/guidelines/{guideline_id}", "/guidelines/", json={"name": "Shop"}
        )
        rule = {"prompt": "hands in the picture"}
        await self._client.put(f"/guidelines/{guideline}/rules/{shot_type}", json=rule)
        self._world.ids["/guidelines/{guideline_id}/rules/{shot_type_id}"] = shot_type

    async def _studio(self) -> None:
        world = self._world
        shooting = await self._make(
            "/shootings/{shooting_id}",
            "/shootings/",
            json={
                "name": "Summer",
                "brand_id": world["/brands/{brand_id}"],
                "guideline_id": world["/guidelines/{guideline_id}"],
            },
        )
        standard = (await self._client.get("/shot-types/", params={"q": "front"})).json()["items"]
        await self._make(
            "/looks/{look_id}",
            f"/shootings/{shooting}/looks",
            json={
                "main_product_id": world["/products/{product_id}"],
                "subject_id": world["/subjects/{subject_id}"],
                "style_id": world["/styles/{style_id}"],
                "shot_type_ids": [world["/shot-types/{shot_type_id}"], standard[-1]["id"]],
                "background_preset_id": world["/background-presets/{preset_id}"],
                "resolution_preset_id": world["/resolution-presets/{preset_id}"],
            },
        )

    async def _images(self) -> None:
        """One shot in review, and one that is approved and exported."""
        world, resources = self._world, self._world.gateway.resources
        async with resources.database.read() as session:
            (look,) = (await LookRepository(session, world.scope).list()).items
        drawn, approved = [
            await put_in_review(resources.database, world.scope, shot, store=resources.store)
            for shot in look.shots
        ]
        world.ids["/shots/{shot_id}"] = str(drawn[0].shot_id)
        world.ids["/predictions/{prediction_id}"] = str(drawn[0].id)
        world.ids["/generations/{generation_id}"] = str(drawn[0].generation_id)
        shot = str(drawn[0].shot_id)
        comments = "/shots/{shot_id}/comments"
        await self._make(
            f"{comments}/{{comment_id}}", f"/shots/{shot}/comments", json={"text": "Creased"}
        )
        body = {"prediction_id": str(approved[0].id)}
        await self._client.post(f"/shots/{approved[0].shot_id}/approve", json=body)
        export = f"/shootings/{look.shooting_id}/export"
        await self._make("/exports/{export_id}", export, json={})
