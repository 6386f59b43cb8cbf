"""Approved images as a ZIP, on a real queue and store."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import zipfile
from io import BytesIO, StringIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from db.models import Prediction
from serve_app.compute.runner.handlers.export import lay_out
from tests.fixtures.studio import StudioUnderTest


async def approve(studio: StudioUnderTest, index: int = 0) -> Any:
    """Generate a shot and approve its first image."""
    shot_id = studio.shot_ids[index]
    begun = await studio.post(f"/shots/{shot_id}/generate", seed=index)
    done = await studio.ended(begun["id"], "completed")
    prediction_id = done["predictions"][0]["id"]
    return await studio.post(f"/shots/{shot_id}/approve", 200, prediction_id=prediction_id)


async def finished(studio: StudioUnderTest, export_id: str) -> Any:
    async with asyncio.timeout(30):
        while True:
            export = await studio.get(f"/exports/{export_id}")
            if export["status"] in {"completed", "failed"}:
                return export
            await asyncio.sleep(0.02)


async def archive(studio: StudioUnderTest, export: Any) -> zipfile.ZipFile:
    async with studio.gateway.client(None) as anybody:
        response = await anybody.get(export["url"])
    assert response.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(BytesIO(response.content))


async def test_an_export_of_approved_images(studio: StudioUnderTest) -> None:
    async with studio.running():
        approved = await approve(studio, 0)
        await approve(studio, 1)
        url = f"/shootings/{studio.shooting_id}/export"
        begun = await studio.post(
            url,
            format="webp",
            filename_template="{sku}_{view}.{ext}",
            layouts=[
                {"name": "shop", "width": 300, "height": 300, "padding": 0.1},
                {"name": "original"},
            ],
        )
        done = await finished(studio, begun["id"])
    assert done["status"] == "completed", done["error"]
    assert done["files"] == 4
    found = await archive(studio, done)
    names = found.namelist()
    assert len(names) == 6
    rows = json.loads(found.read("manifest.json"))["files"]
    assert [row["file"] for row in rows] == names[:4]
    # One SKU twice: the second name is numbered.
    assert rows[0]["file"].startswith("shop/DRS-")
    assert rows[2]["file"].endswith("-2.webp") or rows[0]["view"] != rows[2]["view"]
    lines = list(csv.DictReader(StringIO(found.read("manifest.csv").decode())))
    assert [line["file"] for line in lines] == names[:4]
    assert rows[0]["shot_id"] == approved["id"]
    for row in rows:
        data = found.read(row["file"])
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        image = Image.open(BytesIO(data))
        assert image.format == "WEBP"
        assert image.size == (row["width"], row["height"])
        profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert Image.open(BytesIO(found.read(rows[0]["file"]))).size == (300, 300)
    async with studio.gateway.resources.database.read() as session:
        prediction = await session.get_one(Prediction, approved["current_prediction_id"])
    assert prediction.status == "exported"
    listed = await studio.get("/exports/", shooting_id=str(studio.shooting_id))
    assert [one["id"] for one in listed["items"]] == [begun["id"]]


async def test_without_approved_images_there_is_nothing_to_export(
    studio: StudioUnderTest,
) -> None:
    url = f"/shootings/{studio.shooting_id}/export"
    refused = await studio.client.post(url, json={})
    assert (refused.status_code, "approved" in refused.json()["detail"]) == (409, True)
    named = await studio.client.post(url, json={"shot_ids": [str(studio.shot_ids[0])]})
    assert named.status_code == 409
    assert str(studio.shot_ids[0]) in named.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"filename_template": "{secret}.{ext}"}, "filename_template"),
        ({"filename_template": "{sku.__class__}.{ext}"}, "filename_template"),
        ({"filename_template": "{sku}"}, "filename_template"),
        ({"filename_template": "{sku"}, "filename_template"),
        ({"format": "tiff"}, "format"),
        ({"layouts": [{"name": "a"}, {"name": "A"}]}, "layouts"),
        ({"layouts": [{"name": "../a"}]}, "layouts"),
    ],
)
async def test_refusals(studio: StudioUnderTest, body: dict[str, Any], field: str) -> None:
    refused = await studio.client.post(f"/shootings/{studio.shooting_id}/export", json=body)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"][:2] == ["body", field]


def test_layouts() -> None:
    red = Image.new("RGB", (100, 200), "#ff0000")
    layout = {"width": 200, "height": 200, "padding": 0.1, "background": "#0000ff"}
    picture = np.asarray(lay_out(red, layout, keeps_alpha=False))
    assert picture.shape == (200, 200, 3)
    # 160 high within the margins, and so 80 wide.
    assert tuple(picture[100, 100]) == (255, 0, 0)
    assert [tuple(picture[100, x]) for x in (58, 62, 138, 142)] == [
        (0, 0, 255),
        (255, 0, 0),
        (255, 0, 0),
        (0, 0, 255),
    ]
    covered = np.asarray(lay_out(red, layout | {"fit": "cover"}, keeps_alpha=False))
    assert tuple(covered[100, 25]) == (255, 0, 0)
    clear = lay_out(red, {"padding": 0.2, "background": "transparent"}, keeps_alpha=True)
    assert clear.mode == "RGBA"
    assert clear.getpixel((1, 1)) == (255, 255, 255, 0)
