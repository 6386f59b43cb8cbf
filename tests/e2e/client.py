"""What a client of the Compute API does, in a few functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import httpx
from PIL import Image

Found = TypeVar("Found")
ENDS = {"completed", "failed", "cancelled"}


def upload(
    client: httpx.Client, path: Path, *, size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Upload a picture, scaled to ``size`` (width, height) first if one is given."""
    picture = Image.open(path)
    if size is not None:
        picture = picture.resize(size)
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    response = client.post("/storage/images", files={"file": ("product.png", buffer.getvalue())})
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def submit(client: httpx.Client, route: str = "/tasks/generation", **body: Any) -> dict[str, Any]:
    """Queue a task."""
    response = client.post(route, json=body)
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task


def ended(
    client: httpx.Client,
    task_id: str,
    on_progress: Callable[[float], None] = lambda progress: None,
    *,
    until: Callable[[dict[str, Any]], bool] = lambda task: task["status"] in ENDS,
    timeout: float = 120.0,
) -> dict[str, Any]:
    """Poll a task until it has ended, or until ``until`` is true of it."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        response = client.get(f"/tasks/{task_id}")
        if response.status_code == 200:
            task: dict[str, Any] = response.json()
            on_progress(task["progress"])
            if until(task):
                return task
            assert task["status"] not in ENDS, task
        time.sleep(0.05)
    raise AssertionError(f"{task_id} has not ended after {timeout} s: {response.text}")


def wait_until(look: Callable[[], Found], seconds: float = 30.0) -> Found:
    """Look again and again until there is something; what it is."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
    return found
