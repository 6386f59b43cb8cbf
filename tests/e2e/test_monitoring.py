"""The view inside, on a platform that works."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.e2e.client import ended, submit, wait_until
from tests.fixtures.platform import LivePlatform

pytestmark = pytest.mark.platform


def workers(client: httpx.Client) -> dict[str, list[dict[str, Any]]]:
    """By deployment."""
    found: dict[str, list[dict[str, Any]]] = {}
    for worker in client.get("/monitoring/workers", params={"size": 100}).json()["items"]:
        found.setdefault(worker["deployment"], []).append(worker)
    return found


def test_a_worker_says_what_it_does(platform: LivePlatform) -> None:
    with platform.client() as client:
        wait_until(lambda: {"Generation", "TaskRunner"} <= workers(client).keys())
        task = submit(client, model="tiny", prompt="a dress", steps=600, width=256, height=384)
        try:

            def busy() -> dict[str, Any] | None:
                (worker,) = workers(client)["Generation"]
                at_work = task["id"] in worker["tasks"] and worker["loading"] is None
                return worker if at_work else None

            worker = wait_until(busy)
            assert worker["status"] == "busy"
            assert worker["queues"] == ["generation"]
            assert "tiny" in worker["models"]
            assert worker["memory_bytes"] > 100_000_000
            assert worker["pid"] == platform.replica("Generation").pid
            assert worker["gpu_utilization"] is None
            detail = client.get(f"/monitoring/tasks/{task['id']}").json()
            assert detail["worker"] == worker["id"]
            health = client.get("/monitoring/workers/health").json()
            assert health["unhealthy"] == 0
            assert health["healthy"] == health["total"] == len(health["workers"])
            queues = {
                queue["name"]: queue for queue in client.get("/monitoring/queues").json()["queues"]
            }
            assert (queues["generation"]["running"], queues["generation"]["workers"]) == (1, 1)
            assert queues["training"]["workers"] == 1
        finally:
            # It would keep the model from every later test for half an hour.
            client.post(f"/tasks/{task['id']}/cancel")
        wait_until(lambda: workers(client)["Generation"][0]["status"] == "idle")


def test_the_timeline_has_every_phase(platform: LivePlatform) -> None:
    with platform.client() as client:
        task = submit(client, prompt="fashion model wearing a red dress", steps=4)
        assert ended(client, task["id"])["status"] == "completed"
        detail = client.get(f"/monitoring/tasks/{task['id']}").json()
    phases = [phase["phase"] for phase in detail["timeline"]]
    assert phases[0] == "waiting"
    assert [one for one in phases if one in {"denoise", "decode", "store"}] == [
        *("denoise", "decode", "store")
    ]
    assert all(phase["seconds"] is not None for phase in detail["timeline"])
    spent = sum(phase["seconds"] for phase in detail["timeline"])
    assert spent == pytest.approx(detail["wait_seconds"] + detail["duration_seconds"], abs=0.3)


def test_a_killed_worker_is_shown_as_lost_and_then_forgotten(platform: LivePlatform) -> None:
    """Its successor is there long before."""
    with platform.client() as client:
        wait_until(lambda: len(workers(client).get("Generation", ())) == 1)
        (first,) = workers(client)["Generation"]
        platform.replica("Generation").kill()
        killed_at = time.monotonic()
        wait_until(lambda: len(workers(client)["Generation"]) == 2, seconds=60)

        def lost() -> bool:
            found = {one["id"]: one for one in workers(client)["Generation"]}
            return found[first["id"]]["status"] == "unhealthy"

        wait_until(lost, seconds=30)
        assert time.monotonic() - killed_at < 90
