"""The clients that customers have, run as they are: in Python and in JavaScript.

First against the gateway alone, with a worker that paints one colour; then against the whole
platform and real images.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from db.repositories import ClaimedTask, TaskQueue
from db.session import Database
from serve_app.core.storage.base import ObjectStore
from serve_app.core.storage.factory import open_store
from serve_app.gateway import COMPUTE_BASE
from tests.factories.pictures import picture
from tests.factories.tasks import claim
from tests.fixtures.api import API_KEY, make_settings
from tests.fixtures.platform import LivePlatform
from tests.fixtures.serving import serving

CLIENTS = Path(__file__).parent / "clients"
COMMANDS = {
    "python": [sys.executable, str(CLIENTS / "python_client.py")],
    "javascript": ["node", str(CLIENTS / "javascript_client.mjs")],
}
ERRORS = [
    [401, "Not authenticated"],
    [404, "Task not found"],
    [
        422,
        [
            "body.prompt: Field required",
            "body.num_outputs: Input should be greater than or equal to 1",
        ],
    ],
]


@dataclass(frozen=True, slots=True)
class Painter:
    """A worker that answers each generation with pictures of one colour."""

    database: Database
    store: ObjectStore

    async def work(self) -> None:
        while True:
            for task in await claim(self.database, limit=4):
                await asyncio.sleep(0.3)  # so that the clients see it run
                output = {"images": [await self.paint(task, n) for n in range(self.count(task))]}
                async with self.database.write() as session:
                    await TaskQueue(session).settle_completed(task.id, task.attempt, output)
            await asyncio.sleep(0.1)

    @staticmethod
    def count(task: ClaimedTask) -> int:
        count: int = task.config["num_outputs"]
        return count

    async def paint(self, task: ClaimedTask, number: int) -> dict[str, Any]:
        data = picture(kind="JPEG")
        path = f"outputs/{task.organization_id.hex}/{task.id}/1-{number}.jpg"
        await self.store.put(path, data)
        return {
            "path": path,
            "width": 48,
            "height": 64,
            "seed": task.config["seed"] + number,
            "content_type": "image/jpeg",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }


@pytest.fixture
async def compute_url(tmp_path: Path, own_database_url: str) -> AsyncIterator[str]:
    settings = make_settings(tmp_path, own_database_url)
    database, store = Database.connect(settings), open_store(settings)
    painting = asyncio.create_task(Painter(database, store).work())
    with serving(settings) as url:
        yield url + COMPUTE_BASE
    painting.cancel()
    await asyncio.gather(painting, return_exceptions=True)
    await database.close()


async def run(client: str, url: str, key: str, image_url: str, folder: Path) -> dict[str, Any]:
    """What the client saw."""
    if shutil.which(COMMANDS[client][0]) is None:
        pytest.skip(f"{COMMANDS[client][0]} is not installed")
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[client],
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "BASE_URL": url,
            "API_KEY": key,
            "IMAGE_URL": image_url,
            "POLL_SECONDS": "0.2",
        },
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    seen: dict[str, Any] = json.loads(output)
    return seen


async def upload(url: str, key: str, data: bytes) -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        headers = {"Authorization": f"Bearer {key}"}
        response = await client.post(f"{url}/storage/images", headers=headers, files={"file": data})
    image_url: str = response.json()["url"]
    return image_url


def check(seen: dict[str, Any]) -> None:
    """What those clients rely on."""
    submitted, completed = seen["submitted"], seen["completed"]
    assert submitted["id"].startswith("task_")
    assert (submitted["type"], submitted["status"]) == ("generation", "pending")
    assert submitted["created_at"].endswith("Z")
    assert completed["id"] == submitted["id"]
    assert completed["progress"] == 1
    assert completed["started_at"].endswith("Z")
    assert completed["completed_at"].endswith("Z")
    images = completed["output"]["images"]
    first = images[0]["seed"]
    assert [image["seed"] for image in images] == [first, first + 1, first + 2, first + 3]
    assert len(seen["files"]) == 4
    for file, image in zip(seen["files"], images, strict=True):
        with Image.open(file) as opened:
            assert opened.format == "JPEG"
            assert opened.size == (image["width"], image["height"])
    assert seen["cancelled"] in {"cancelled", "completed"}
    assert seen["errors"] == ERRORS


@pytest.mark.parametrize("client", COMMANDS)
async def test_clients_of_the_reference(client: str, compute_url: str, tmp_path: Path) -> None:
    image_url = await upload(compute_url, API_KEY, picture())
    check(await run(client, compute_url, API_KEY, image_url, tmp_path))


@pytest.mark.platform
@pytest.mark.parametrize("client", COMMANDS)
async def test_clients_of_the_reference_on_the_platform(
    client: str, platform: LivePlatform, tmp_path: Path
) -> None:
    url, key = platform.compute_url, platform.api_key
    image_url = await upload(url, key, picture(128, 192))
    check(await run(client, url, key, image_url, tmp_path))
