# ruff: noqa: T201 - what it saw goes to stdout
"""A client as customers write it: submit, poll, download, cancel, and look at errors.

``BASE_URL``, ``API_KEY`` and ``IMAGE_URL`` come from the environment; what it saw goes to stdout
as JSON. It uses nothing of the platform's own code.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import httpx

BASE_URL = os.environ["BASE_URL"]
HEADERS = {"Authorization": f"Bearer {os.environ['API_KEY']}"}
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "2"))


def submit(**body: Any) -> dict[str, Any]:
    response = httpx.post(f"{BASE_URL}/tasks/generation", headers=HEADERS, json=body)
    task: dict[str, Any] = response.json()
    return task


def wait_for(task_id: str, timeout: float = 240) -> dict[str, Any]:
    began = time.time()
    while time.time() - began < timeout:
        task: dict[str, Any] = httpx.get(f"{BASE_URL}/tasks/{task_id}", headers=HEADERS).json()
        match task["status"]:
            case "completed":
                return task
            case "failed":
                raise RuntimeError(f"failed: {task.get('error')}")
            case "cancelled":
                raise RuntimeError("cancelled")
        print(f"{task.get('progress', 0) * 100:.0f}%", file=sys.stderr)
        time.sleep(POLL_SECONDS)
    raise TimeoutError(task_id)


def download(task: dict[str, Any], folder: Path) -> list[str]:
    files = []
    for number, image in enumerate(task["output"]["images"]):
        file = folder / f"python_{number}.jpg"
        file.write_bytes(httpx.get(image["url"]).content)
        files.append(str(file))
    return files


def cancel(task_id: str) -> str:
    response = httpx.post(f"{BASE_URL}/tasks/{task_id}/cancel", headers=HEADERS)
    response.raise_for_status()
    status: str = response.json()["status"]
    return status


def failure(path: str, **request: Any) -> tuple[int, Any]:
    """What a client learns of an error: the status, and the detail it may show."""
    try:
        httpx.request(url=f"{BASE_URL}{path}", **request).raise_for_status()
    except httpx.HTTPStatusError as error:
        detail = error.response.json()["detail"]
        if error.response.status_code == 422:
            detail = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in detail]
        return error.response.status_code, detail
    raise AssertionError(f"{path} should have failed")


def main(folder: Path) -> None:
    prompt = "fashion model wearing the dress, studio lighting, white background"
    submitted = submit(
        input_image_url=os.environ["IMAGE_URL"],
        prompt=prompt,
        negative_prompt="blurry, distorted, low quality",
        num_outputs=4,
        steps=30,
        guidance_scale=7.5,
    )
    done = wait_for(submitted["id"])
    short = submit(input_image_url=os.environ["IMAGE_URL"], prompt=prompt, num_outputs=1)
    seen = {
        "submitted": submitted,
        "completed": done,
        "files": download(done, folder),
        "cancelled": cancel(short["id"]),
        "errors": [
            failure("/tasks/", method="GET"),
            failure("/tasks/task_unknown", method="GET", headers=HEADERS),
            failure("/tasks/generation", method="POST", headers=HEADERS, json={"num_outputs": 0}),
        ],
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
