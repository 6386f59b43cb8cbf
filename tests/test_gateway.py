from __future__ import annotations

import re

import httpx
import pytest

from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE
from tests.factories.api_keys import make_api_key
from tests.factories.pictures import picture
from tests.fixtures.api import API_KEY, Tenant

COMPUTE_HOST = "http://compute-api.example.com"


@pytest.mark.parametrize("base", [COMPUTE_BASE, BACKEND_BASE, ""])
async def test_unknown_routes(client: httpx.AsyncClient, base: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        response = await client.request(method, f"{base}/nothing/here")
        assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


async def test_other_methods(client: httpx.AsyncClient) -> None:
    response = await client.delete(f"{COMPUTE_BASE}/tasks/")
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})


@pytest.mark.parametrize(
    ("base", "title", "route"),
    [
        (COMPUTE_BASE, "Sartiq Compute API", "/tasks/generation"),
        (BACKEND_BASE, "Sartiq Backend API", "/generation-models/"),
        (f"{COMPUTE_HOST}/api/v1", "Sartiq Compute API", "/tasks/generation"),
        (f"{COMPUTE_HOST}:8443/api/v1", "Sartiq Compute API", "/tasks/generation"),
        (f"{COMPUTE_HOST}{COMPUTE_BASE}", "Sartiq Compute API", "/tasks/generation"),
        ("http://compute.example.com/api/v1", "Sartiq Backend API", "/generation-models/"),
    ],
)
async def test_documents(anonymous: httpx.AsyncClient, base: str, title: str, route: str) -> None:
    document = (await anonymous.get(f"{base}/openapi.json")).json()
    assert document["info"]["title"] == title
    assert route in document["paths"]
    # What a generated client prefixes every path with.
    assert [server["url"] for server in document["servers"]] == [httpx.URL(base).path]
    page = await anonymous.get(f"{base}/docs")
    assert page.status_code == 200
    assert f"{httpx.URL(base).path}/openapi.json" in page.text
    # The page works without a network: every file that it needs is our own.
    needed = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert any(url.endswith(".js") for url in needed)
    for url in needed:
        assert (await anonymous.get(httpx.URL(base).join(url))).status_code == 200, url


async def test_the_compute_host(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    data = picture()
    base = f"{COMPUTE_HOST}/api/v1"
    image = (await client.post(f"{base}/storage/images", files={"file": data})).json()
    assert image["url"].startswith(f"{COMPUTE_HOST}/")
    assert (await anonymous.get(image["url"])).content == data
    assert (await client.get(f"{base}/storage/images/{image['path']}")).content == data
    body = {"prompt": "a dress", "input_image_url": image["url"]}
    task = await client.post(f"{base}/tasks/generation", json=body)
    assert task.status_code == 201, task.text
    read = (await client.get(f"{base}/tasks/generation/{task.json()['id']}")).json()
    assert (await anonymous.get(read["config"]["input_image_url"])).content == data
    # Signed for one name, good under the other.
    elsewhere = image["url"].replace(COMPUTE_HOST, "http://platform.test")
    assert (await anonymous.get(elsewhere)).content == data


async def test_a_slash_too_few(client: httpx.AsyncClient) -> None:
    for url in (f"{COMPUTE_BASE}/tasks", f"{COMPUTE_HOST}/api/v1/tasks"):
        response = await client.post(url, json={"type": "generation", "config": {"prompt": "a"}})
        assert response.status_code == 307
        again = await client.post(
            response.headers["Location"], json={"type": "generation", "config": {"prompt": "a"}}
        )
        assert again.status_code == 201


@pytest.mark.parametrize("host", ["[", "a b", "x:99999", "", "a/b", "user@host", "\xe9", "x\x00"])
async def test_strange_hosts_do_no_harm(tenant: Tenant, host: str) -> None:
    image = (await tenant.compute.post("/storage/images", files={"file": picture()})).json()
    headers = {"Host": host.encode("latin-1")}
    response = await tenant.compute.post(
        "/tasks/generation",
        json={"prompt": "a", "input_image_url": image["url"]},
        headers=headers,  # type: ignore[arg-type]
    )
    assert response.status_code in {201, 422}
    again = await tenant.compute.post(
        "/storage/images",
        files={"file": picture()},
        headers=headers,  # type: ignore[arg-type]
    )
    assert again.status_code == 201


async def test_health_needs_no_token(anonymous: httpx.AsyncClient) -> None:
    for url in ("/healthz", f"{COMPUTE_HOST}/healthz"):
        response = await anonymous.get(url)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_no_credentials(anonymous: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}):
        response = await anonymous.get(f"{COMPUTE_BASE}/tasks/", headers=headers)
        assert (response.status_code, response.json()) == (401, {"detail": "Not authenticated"})
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_bad_credentials(anonymous: httpx.AsyncClient, tenant: Tenant) -> None:
    revoked = await make_api_key(tenant.database, tenant.organization_id, revoked=True)
    for token in ("wrong", API_KEY + "x", tenant.api_key[:-1], revoked, "\xe9", "a" * 10_000):
        headers = {"Authorization": f"Bearer {token}".encode("latin-1")}
        for url in (f"{COMPUTE_BASE}/tasks/", f"{COMPUTE_BASE}/storage/images/a/b/c.png"):
            response = await anonymous.get(url, headers=headers)  # type: ignore[arg-type]
            assert response.status_code == 401
            assert response.json() == {"detail": "Could not validate credentials"}


async def test_the_default_organization_has_the_bootstrap_key(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    task = (await client.post(f"{COMPUTE_BASE}/tasks/generation", json={"prompt": "a"})).json()
    assert (await client.get(f"{COMPUTE_BASE}/tasks/{task['id']}")).status_code == 200
    assert (await tenant.compute.get(f"/tasks/{task['id']}")).status_code == 404
