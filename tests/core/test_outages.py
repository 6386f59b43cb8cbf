from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from db.embedded import EmbeddedPostgres
from db.migrate import upgrade
from serve_app.gateway import COMPUTE_BASE
from tests.fixtures.api import Gateway, a_tenant, make_settings, running_gateway

AWAY = (503, {"detail": "The database is unavailable, try again later"})


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A Postgres of this test's own, to be stopped."""
    home = Path(tempfile.mkdtemp(prefix="sartiq-outage-"))
    home.chmod(0o755)
    server = EmbeddedPostgres(home, {"fsync": "off", "shared_buffers": "'16MB'"})
    server.start()
    yield server
    server.stop()
    shutil.rmtree(home)


@pytest.fixture
async def gateway_of(server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Gateway]:
    await upgrade(server.url)
    async with running_gateway(make_settings(tmp_path, server.url)) as gateway:
        yield gateway


async def test_requests_while_the_database_is_away(
    gateway_of: Gateway, server: EmbeddedPostgres
) -> None:
    async with a_tenant(gateway_of) as tenant, gateway_of.client(base=COMPUTE_BASE) as client:
        # Open connections, which all die with the server.
        created = await asyncio.gather(
            *(tenant.compute.post("/tasks/generation", json={"prompt": "a"}) for _ in range(6))
        )
        task_id = created[0].json()["id"]
        await asyncio.to_thread(server.stop)
        for _ in range(2):
            for compute in (tenant.compute, client):
                for response in (
                    await compute.get(f"/tasks/{task_id}"),
                    await compute.get("/tasks/"),
                    await compute.post("/tasks/generation", json={"prompt": "a"}),
                    await compute.post(f"/tasks/{task_id}/cancel"),
                ):
                    assert (response.status_code, response.json()) == AWAY
                    assert int(response.headers["Retry-After"]) > 0
        assert (await client.get("http://platform.test/healthz")).status_code == 200
        await asyncio.to_thread(server.start)
        # At once: no request pays for the connections that died.
        for _ in range(6):
            assert (await tenant.compute.get(f"/tasks/{task_id}")).status_code == 200
        again = await asyncio.gather(
            *(tenant.compute.post("/tasks/generation", json={"prompt": "a"}) for _ in range(6))
        )
        assert [response.status_code for response in again] == [201] * 6
        assert (await tenant.stored())["tasks"] == 12


async def test_requests_in_flight_when_the_database_goes(
    gateway_of: Gateway, server: EmbeddedPostgres
) -> None:
    async with a_tenant(gateway_of) as tenant:
        statuses: set[int] = set()
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        while not stopping.done():
            responses = await asyncio.gather(
                *(tenant.compute.post("/tasks/generation", json={"prompt": "a"}) for _ in range(4))
            )
            statuses |= {response.status_code for response in responses}
        assert statuses <= {201, 503}
        await asyncio.to_thread(server.start)
        assert (await tenant.compute.get("/tasks/")).status_code == 200
