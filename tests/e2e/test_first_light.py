"""A product picture goes in, real models make pictures, all over HTTP."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from configs.settings import CHECKOUT
from serve_app.core.images import read_recipe
from tests.e2e.client import ended, submit, upload
from tests.fixtures.platform import LivePlatform

pytestmark = pytest.mark.platform

PRODUCT = CHECKOUT / "configs" / "examples" / "catalog" / "dress-red.jpg"


def fetch(url: str) -> bytes:
    """As a client does: without a header."""
    response = httpx.get(url, trust_env=False, timeout=30)
    response.raise_for_status()
    return response.content


def test_generation(platform: LivePlatform, tmp_path: Path) -> None:
    with platform.client() as client:
        product = upload(client, PRODUCT)
        task = submit(
            client,
            input_image_url=product["url"],
            prompt="fashion model wearing the dress, studio lighting, white background",
            num_outputs=4,
            seed=7,
        )
        seen = []
        done = ended(client, task["id"], seen.append)
    assert done["status"] == "completed", done["error"]
    images = done["output"]["images"]
    assert [image["seed"] for image in images] == [7, 8, 9, 10]
    pictures = [Image.open(BytesIO(fetch(image["url"]))) for image in images]
    assert {(picture.format, picture.size) for picture in pictures} == {("JPEG", (128, 192))}
    pixels = [np.asarray(picture) for picture in pictures]
    assert all(np.any(pixels[0] != other) for other in pixels[1:])
    recipe = read_recipe(fetch(images[2]["url"]))
    assert recipe is not None
    assert (recipe["seed"], recipe["model"]) == (9, "atelier-tiny")
    assert seen == sorted(seen), "progress never goes back"


def test_same_seed_same_pixels(platform: LivePlatform) -> None:
    """Alone, and beside strangers that are denoised in the same batch."""
    request = {"model": "tiny", "prompt": "a red dress", "seed": 3, "output_format": "png"}
    with platform.client() as client:
        alone = ended(client, submit(client, **request)["id"])
        strangers = [
            submit(client, model="tiny", prompt=f"a coat, number {number}")["id"]
            for number in range(5)
        ]
        among = submit(client, **request)["id"]
        for task_id in strangers:
            ended(client, task_id)
        among_done = ended(client, among)
    first, second = (
        np.asarray(Image.open(BytesIO(fetch(done["output"]["images"][0]["url"]))))
        for done in (alone, among_done)
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize("scale", [2, 3])
def test_upscale(platform: LivePlatform, scale: int) -> None:
    with platform.client() as client:
        product = upload(client, PRODUCT, size=(60, 90))
        task = submit(
            client,
            "/tasks/",
            type="processing",
            config={"operation": "upscale", "image_url": product["url"], "scale": scale},
        )
        done = ended(client, task["id"])
    assert done["status"] == "completed", done["error"]
    (image,) = done["output"]["images"]
    picture = Image.open(BytesIO(fetch(image["url"])))
    assert picture.size == (image["width"], image["height"]) == (60 * scale, 90 * scale)


def test_remove_background(platform: LivePlatform) -> None:
    with platform.client() as client:
        product = upload(client, PRODUCT)
        task = submit(
            client,
            "/tasks/",
            type="processing",
            config={"operation": "remove-background", "image_url": product["url"]},
        )
        done = ended(client, task["id"])
    assert done["status"] == "completed", done["error"]
    picture = Image.open(BytesIO(fetch(done["output"]["images"][0]["url"])))
    assert picture.mode == "RGBA"
    alpha = np.asarray(picture.getchannel("A"))
    assert alpha[0, 0] == 0, "the corner is background"
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] > 200, "the middle is product"


def test_a_model_that_fails_fails_its_task(platform: LivePlatform) -> None:
    with platform.client() as client:
        task = submit(client, model="broken", prompt="a dress")
        done = ended(client, task["id"])
        details = client.get(f"/tasks/generation/{task['id']}").json()
    assert (done["status"], done["error_code"]) == ("failed", "inference_failed")
    assert done["output"] is None
    assert "Traceback" not in done["error"]
    # Tried once more, in case it was a fluke; both reasons are kept.
    assert [failure["code"] for failure in details["failures"]] == ["inference_failed"] * 2


def test_a_running_task_is_cancelled_within_a_step(platform: LivePlatform) -> None:
    with platform.client() as client:
        task = submit(client, model="tiny", prompt="a dress", steps=900, num_outputs=8)
        ended(client, task["id"], until=lambda seen: seen["progress"] > 0)
        cancelled = client.post(f"/tasks/{task['id']}/cancel").json()
        assert cancelled["status"] == "cancelled"
        # The replica is free again at once: a short task does not wait for 900 steps.
        short = submit(client, model="tiny", prompt="a dress", steps=1)
        assert ended(client, short["id"], timeout=30)["status"] == "completed"
        assert client.get(f"/tasks/{task['id']}").json()["status"] == "cancelled"


def test_a_pending_task_that_is_cancelled_never_starts(platform: LivePlatform) -> None:
    with platform.client() as client:
        # More than the replica holds at once, so the last ones wait.
        tasks = [
            submit(client, model="tiny", prompt="a dress", steps=40, num_outputs=8)["id"]
            for _ in range(4)
        ]
        assert client.post(f"/tasks/{tasks[-1]}/cancel").json()["status"] == "cancelled"
        for task_id in tasks[:-1]:
            assert ended(client, task_id)["status"] == "completed"
        last = client.get(f"/tasks/{tasks[-1]}").json()
    assert (last["status"], last["attempt"], last["started_at"]) == ("cancelled", 0, None)
