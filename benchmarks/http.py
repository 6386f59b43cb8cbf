"""Requests where milliseconds count: nothing stands between the benchmark and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from serve_app.client import COMPUTE_BASE
from serve_app.platform import Platform

_WAIT_SECONDS = 30


def connect(platform: Platform) -> httpx.Client:
    """A client of the Compute API with one connection, kept alive."""
    return httpx.Client(
        base_url=f"{platform.base_url}{COMPUTE_BASE}",
        headers={"Authorization": f"Bearer {platform.api_key}"},
        # No proxy of the environment stands between this machine and itself.
        trust_env=False,
        timeout=_WAIT_SECONDS * 2,
    )


def submission(http: httpx.Client, body: Mapping[str, Any]) -> httpx.Request:
    """The request that submits a generation, ready to be sent."""
    return http.build_request("POST", "/tasks/generation", json=body)


def send(http: httpx.Client, request: httpx.Request) -> dict[str, Any]:
    """Send a request; the task that it answers with."""
    task: dict[str, Any] = http.send(request).raise_for_status().json()
    return task


def completed(http: httpx.Client, task: Mapping[str, Any]) -> dict[str, Any]:
    """Wait for the end of a task the quickest way there is: a request that the platform answers
    when it comes.

    Raises:
        RuntimeError: the task failed.
    """
    request = http.build_request("GET", f"/tasks/{task['id']}", params={"wait": _WAIT_SECONDS})
    while (now := send(http, request))["status"] in {"pending", "running"}:
        continue
    if now["status"] != "completed":
        raise RuntimeError(f"{now['id']} is {now['status']}: {now['error']}")
    return now
