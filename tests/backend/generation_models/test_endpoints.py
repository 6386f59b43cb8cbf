from __future__ import annotations

import httpx
import pytest

from serve_app.gateway import BACKEND_BASE

URL = f"{BACKEND_BASE}/generation-models"


async def test_models_that_can_run_here(anonymous: httpx.AsyncClient) -> None:
    listed = (await anonymous.get(f"{URL}/")).json()
    assert (listed["total"], listed["page"], listed["size"]) == (1, 1, 20)
    (model,) = listed["items"]
    assert model["name"] == "atelier-tiny"
    assert "instruction" in model["modes"]
    assert model["limits"]["max_outputs"] == 16
    assert model["defaults"]["height"] == 192
    # Where the weights lie is nobody's business.
    assert "source" not in model
    assert (await anonymous.get(f"{URL}/atelier-tiny")).json() == model


async def test_pages(anonymous: httpx.AsyncClient) -> None:
    second = (await anonymous.get(f"{URL}/", params={"page": 2, "size": 1})).json()
    assert (second["items"], second["total"]) == ([], 1)
    for query in ({"page": 0}, {"size": 101}, {"page": 10**30}):
        assert (await anonymous.get(f"{URL}/", params=query)).status_code == 422


@pytest.mark.parametrize("name", ["unknown", "sd-xl-base", "%00", "..%2fatelier-tiny"])
async def test_other_models(anonymous: httpx.AsyncClient, name: str) -> None:
    response = await anonymous.get(f"{URL}/{name}")
    assert response.status_code == 404
    assert response.json()["detail"] in {"Model not found", "Not Found"}
