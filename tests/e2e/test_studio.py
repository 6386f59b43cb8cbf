"""The studio on the whole platform: from an empty organization to approved images, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from serve_app.seed import Seeded, Seeder, log_in
from tests.fixtures.platform import SUPERUSER, LivePlatform

pytestmark = pytest.mark.platform


@pytest.fixture(scope="module")
def studio(platform: LivePlatform) -> Iterator[httpx.Client]:
    with log_in(platform.base_url, *SUPERUSER.values(), None) as client:
        yield client


@pytest.fixture(scope="module")
def seeded(studio: httpx.Client) -> Seeded:
    done = Seeder(studio).fill()
    assert done.created > 10
    assert Seeder(studio).fill().created == 0, "a second run finds everything"
    return done


def post(client: httpx.Client, url: str, **body: Any) -> Any:
    response = client.post(url, json=body)
    assert response.status_code in {200, 201}, response.text
    return response.json()


def wait(client: httpx.Client, url: str, *statuses: str) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = client.get(url).json()
        if answer["status"] in statuses:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{url} is {answer['status']}: {answer}")


def pixels(url: str) -> np.ndarray:
    response = httpx.get(url, trust_env=False, timeout=30).raise_for_status()
    return np.asarray(Image.open(BytesIO(response.content)))


def test_the_whole_workflow(studio: httpx.Client, seeded: Seeded) -> None:
    shots = seeded.shots[:2]
    begun = [post(studio, f"/shots/{shot}/generate", num_predictions=2, seed=3) for shot in shots]
    for generation, shot_id in zip(begun, shots, strict=True):
        done = wait(studio, f"/generations/{generation['id']}", "completed")
        assert [one["seed"] for one in done["predictions"]] == [3, 4]
        shot = studio.get(f"/shots/{shot_id}").json()
        assert shot["status"] == "review"
        assert pixels(shot["current_image_url"]).std() > 20
        approved = post(
            studio, f"/shots/{shot_id}/approve", prediction_id=done["predictions"][1]["id"]
        )
        assert approved["status"] == "approved"
    export = post(studio, f"/shootings/{seeded.shooting_id}/export", format="png")
    delivered = wait(studio, f"/exports/{export['id']}", "completed")
    assert delivered["files"] == 2
    assert delivered["size"] > 10_000


def test_real_images_are_reproduced_and_finished(studio: httpx.Client, seeded: Seeded) -> None:
    """On a background of the studio's own and in another resolution, twice."""
    background = post(studio, "/background-presets/", name="Teal", type="color", color="#207070")
    resolution = post(studio, "/resolution-presets/", name="Small", width=200, height=300)
    shot_types = studio.get("/shot-types/").json()["items"]
    look = post(
        studio,
        f"/shootings/{seeded.shooting_id}/looks",
        main_product_id=seeded.products["AN-DRS-001"],
        subject_id=seeded.subjects["Mira"],
        shot_type_ids=[shot_types[0]["id"]],
        background_preset_id=background["id"],
        resolution_preset_id=resolution["id"],
        file_format="png",
    )
    shot = look["shots"][0]
    begun = post(studio, f"/shots/{shot['id']}/generate")
    first = wait(studio, f"/generations/{begun['id']}", "completed")
    again = post(studio, f"/generations/{begun['id']}/reproduce")
    second = wait(studio, f"/generations/{again['id']}", "completed")
    one, other = (pixels(done["predictions"][0]["image_url"]) for done in (first, second))
    assert one.shape == (300, 200, 3)
    assert tuple(one[3, 3]) == (0x20, 0x70, 0x70)
    np.testing.assert_array_equal(one, other)
