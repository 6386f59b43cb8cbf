"""A studio with one look, and a runner whose models run in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from configs.settings import QueueSettings
from db.models import (
    Brand,
    Look,
    ProductImage,
    Role,
    Shooting,
    Shot,
    ShotRevision,
)
from db.repositories import OrganizationScope
from serve_app.backend.generations.projection import GenerationProjection
from serve_app.compute.runner.runner import Runner
from serve_app.core.media import MediaLibrary
from serve_app.gateway import BACKEND_BASE
from tests.factories.organizations import make_organization
from tests.factories.pictures import picture
from tests.factories.presets import standard_shot_types
from tests.factories.products import make_product
from tests.factories.subjects import make_subject
from tests.factories.users import make_token, make_user
from tests.fixtures.api import Gateway
from tests.fixtures.models import FixedCapacity, LocalHandle, Model, cuts_out, draws, enlarges

MODELS: Mapping[str, Model] = {
    "generation": draws,
    "upscaling": enlarges,
    "background_removal": cuts_out,
}


@dataclass
class StudioUnderTest:
    """An organization with a look of two shots; ``client`` is an editor's."""

    gateway: Gateway
    scope: OrganizationScope
    client: httpx.AsyncClient
    shooting_id: UUID
    look_id: UUID
    shot_ids: list[UUID]
    product_id: UUID
    handles: dict[str, LocalHandle] = field(default_factory=dict)

    async def get(self, url: str, **params: Any) -> Any:
        response = await self.client.get(url, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, url: str, status: int = 201, **body: Any) -> Any:
        response = await self.client.post(url, json=body)
        assert response.status_code == status, response.text
        return response.json()

    async def change_look(self, **values: Any) -> None:
        async with self.gateway.resources.database.write() as session:
            look = await session.get_one(Look, self.look_id)
            for name, value in values.items():
                setattr(look, name, value)

    async def shot(self, index: int = 0) -> Shot:
        async with self.gateway.resources.database.read() as session:
            return await session.get_one(Shot, self.shot_ids[index])

    async def ended(self, generation_id: str, *statuses: str) -> Any:
        """The generation, once it has ended."""
        ends = statuses or ("completed", "failed", "cancelled")
        async with asyncio.timeout(30):
            while True:
                generation = await self.get(f"/generations/{generation_id}")
                if generation["status"] in ends:
                    return generation
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def running(self, **models: Model) -> AsyncIterator[Runner]:
        """A runner that works on the studio's tasks."""
        self.handles = {name: LocalHandle(model) for name, model in ({**MODELS, **models}).items()}
        settings = self.gateway.settings.model_copy(
            update={"queue": QueueSettings(reap_seconds=0.1, poll_seconds=0.2)}
        )
        resources = self.gateway.resources
        object.__setattr__(resources, "settings", settings)
        runner = Runner(
            f"runner-{uuid4().hex[:6]}",
            resources,
            self.handles,  # type: ignore[arg-type]
            lambda wake: FixedCapacity(8),  # type: ignore[arg-type,return-value]
            observers=[GenerationProjection()],
        )
        await runner.start()
        try:
            yield runner
        finally:
            await runner.drain()


@pytest.fixture
async def studio(own_gateway: Gateway) -> AsyncIterator[StudioUnderTest]:
    database = own_gateway.resources.database
    organization = await make_organization(database)
    scope = OrganizationScope(organization.id)
    product = await make_product(database, scope, name="Summer Dress", color="red")
    subject = await make_subject(database, scope)
    shot_types = await standard_shot_types(database)
    library = MediaLibrary(own_gateway.resources, scope)
    taken = await library.take(picture())
    async with database.write() as session:
        media = await library.keep(session, taken)
        session.add(
            ProductImage(
                organization_id=scope.organization_id,
                product_id=product.id,
                media_id=media.id,
                type="primary",
            )
        )
        brand = Brand(organization_id=scope.organization_id, name="Nord")
        session.add(brand)
        await session.flush()
        shooting = Shooting(organization_id=scope.organization_id, brand_id=brand.id, name="SS27")
        session.add(shooting)
        await session.flush()
        look = Look(
            organization_id=scope.organization_id,
            shooting_id=shooting.id,
            main_product_id=product.id,
            subject_id=subject.id,
        )
        session.add(look)
        await session.flush()
        shots = [
            Shot(
                organization_id=scope.organization_id,
                shooting_id=shooting.id,
                look_id=look.id,
                shot_type_id=shot_type.id,
            )
            for shot_type in shot_types[:2]
        ]
        session.add_all(shots)
        await session.flush()
        session.add_all(
            ShotRevision(organization_id=scope.organization_id, shot_id=shot.id, number=1)
            for shot in shots
        )
    user = await make_user(database, memberships={organization.id: Role.EDITOR})
    token = await make_token(own_gateway.resources, user)
    async with own_gateway.client(token, BACKEND_BASE) as client:
        yield StudioUnderTest(
            own_gateway,
            scope,
            client,
            shooting.id,
            look.id,
            [shot.id for shot in shots],
            product.id,
        )
