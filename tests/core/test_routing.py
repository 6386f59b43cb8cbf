"""Routers that pass over what they cannot serve."""

from __future__ import annotations

from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount

from serve_app.core.routing import Router


@pytest.fixture
def client() -> TestClient:
    shots = Router(prefix="/shots")
    further = Router()

    @shots.get("/{shot_id}")
    async def get(shot_id: UUID) -> str:
        return f"shot {shot_id}"

    @shots.get("/")
    async def all_of_them() -> str:
        return "shots"

    @further.post("/shots/{shot_id}/generate")
    async def generate(shot_id: UUID) -> str:
        return f"generate {shot_id}"

    @further.get("/generations/")
    async def generations() -> str:
        return "generations"

    api = FastAPI()
    api.include_router(shots)
    api.include_router(further)
    return TestClient(Starlette(routes=[Mount("/api/v1", api), Mount("/", api)]))


@pytest.mark.parametrize("base", ["/api/v1", ""])
def test_routers_may_share_a_first_segment(client: TestClient, base: str) -> None:
    shot = UUID(int=1)
    assert client.get(f"{base}/shots/{shot}").json() == f"shot {shot}"
    assert client.get(f"{base}/shots/").json() == "shots"
    assert client.post(f"{base}/shots/{shot}/generate").json() == f"generate {shot}"
    assert client.get(f"{base}/generations/").json() == "generations"


def test_what_nobody_serves_is_answered_as_before(client: TestClient) -> None:
    assert client.get("/api/v1/").status_code == 404
    assert client.get("/api/v1/looks/").status_code == 404
    assert client.delete("/api/v1/generations/").status_code == 405
    # Redirected to where it is, as by any router.
    assert client.get("/api/v1/generations").json() == "generations"


def test_a_router_of_a_resource_that_cannot_be_told_by_its_path_is_refused() -> None:
    router = Router()

    @router.get("/{anything}")
    async def get(anything: str) -> str:
        return anything

    api = FastAPI()
    api.include_router(router)
    with pytest.raises(AssertionError, match="begins with its resource"):
        TestClient(api).get("/thing")
