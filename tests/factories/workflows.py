"""Workflows, made through the API."""

from __future__ import annotations

from typing import Any

import httpx

GENERATE = {"name": "generate", "type": "generation", "config": {"prompt": "a dress"}}


async def make_workflow(client: httpx.AsyncClient, **changes: Any) -> Any:
    """A workflow of one step that makes a picture from nothing, not started."""
    answer = await client.post("/workflows/", json={"name": "one", "steps": [GENERATE], **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()
