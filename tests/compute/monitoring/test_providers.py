"""Circuits of hosted providers, where operators look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from serve_app.compute.runner.gauges import Gauges
from serve_app.core.providers.breaker import Breaker
from serve_app.core.providers.errors import HostedUnavailable
from serve_app.core.providers.registry import settings_of
from serve_app.gateway import COMPUTE_BASE
from telemetry.metrics import PROVIDER_CIRCUIT
from tests.fixtures.api import Gateway, a_tenant
from tests.fixtures.hosted.claude import FakeClaude
from tests.fixtures.hosted.gemini import FakeGemini
from tests.fixtures.hosted.platform import hosted_gateway, keys_of


@pytest.fixture
async def own_gateway(
    tmp_path: Path, own_database_url: str, claude: FakeClaude, gemini: FakeGemini
) -> AsyncIterator[Gateway]:
    limits = keys_of(claude, gemini, breaker_failures=2, breaker_seconds=60.0)
    async with hosted_gateway(tmp_path, own_database_url, **limits) as gateway:
        yield gateway


async def shown(gateway: Gateway, key: str | None = None) -> dict[str, Any]:
    client = gateway.client(base=COMPUTE_BASE) if key is None else gateway.client(key, COMPUTE_BASE)
    async with client:
        response = await client.get("/monitoring/providers")
    assert response.status_code == 200, response.text
    return {one["name"]: one for one in response.json()["providers"]}


async def fails(gateway: Gateway) -> None:
    resources = gateway.resources
    breaker = Breaker(resources.database, "claude", settings_of(resources.settings, "claude"))
    with pytest.raises(HostedUnavailable):
        async with breaker.guard():
            raise HostedUnavailable("claude", "Overloaded")


async def test_operators_see_an_open_circuit_and_why(own_gateway: Gateway) -> None:
    closed = {"circuit": "closed", "failures": 0, "open_until": None, "reason": None}
    assert await shown(own_gateway) == {
        name: {"name": name, **closed} for name in ("claude", "gemini")
    }
    await fails(own_gateway)
    one = (await shown(own_gateway))["claude"]
    assert (one["circuit"], one["failures"]) == ("closed", 1)
    await fails(own_gateway)
    seen = await shown(own_gateway)
    assert (seen["claude"]["circuit"], seen["claude"]["failures"]) == ("open", 2)
    assert seen["claude"]["open_until"].endswith("Z")
    assert seen["claude"]["reason"] == "hosted_unavailable: claude is not available: Overloaded"
    assert seen["gemini"]["circuit"] == "closed"
    # What the provider says about the installation's account is not for its tenants.
    async with a_tenant(own_gateway) as tenant:
        theirs = (await shown(own_gateway, tenant.api_key))["claude"]
    assert (theirs["circuit"], theirs["reason"]) == ("open", None)
    async with own_gateway.resources.database.write() as session:
        await session.execute(text("UPDATE provider_circuits SET open_until = now()"))
    assert (await shown(own_gateway))["claude"]["circuit"] == "half_open"


@dataclass
class Recorded:
    """A gauge of a cluster, in place of Ray's."""

    values: dict[str, float] = field(default_factory=dict)

    def set(self, value: float, tags: dict[str, str]) -> None:
        self.values[tags["provider"]] = value


async def test_the_metric_says_the_same(
    own_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Recorded()
    monkeypatch.setattr(PROVIDER_CIRCUIT, "_made", recorded)
    gauges = Gauges(own_gateway.resources.database, own_gateway.resources.providers.names)
    await gauges.record()
    assert recorded.values == {"claude": 0.0, "gemini": 0.0}
    await fails(own_gateway)
    await fails(own_gateway)
    await gauges.record()
    assert recorded.values == {"claude": 1.0, "gemini": 0.0}
    async with own_gateway.resources.database.write() as session:
        await session.execute(text("UPDATE provider_circuits SET open_until = now()"))
    await gauges.record()
    assert recorded.values == {"claude": 0.5, "gemini": 0.0}
