# ruff: noqa: T201 - what it saw goes to stdout
"""A client of the studio as customers write it: from the login to approved shots.

Addresses, credentials and the ids of what is in the catalog come from the environment; what it saw
goes to stdout as JSON. It uses nothing of the platform's own code.
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
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "5"))


def log_in() -> dict[str, str]:
    """The headers of every other request."""
    auth = httpx.post(
        f"{BASE_URL}/login/access-token",
        data={"username": os.environ["USERNAME"], "password": os.environ["PASSWORD"]},
    )
    return {"Authorization": f"Bearer {auth.json()['access_token']}"}


def create_product(headers: dict[str, str], picture: Path) -> dict[str, Any]:
    """A product with a picture, as the list shows it."""
    product = httpx.post(
        f"{BASE_URL}/products/",
        headers=headers,
        json={"name": "Summer Dress", "sku": "DRS-001", "category": "dresses"},
    ).json()
    with picture.open("rb") as file:
        httpx.post(
            f"{BASE_URL}/products/{product['id']}/images",
            headers=headers,
            files={"file": file},
            data={"type": "primary"},
        ).raise_for_status()
    listed = httpx.get(f"{BASE_URL}/products/", headers=headers).json()
    return next(one for one in listed["items"] if one["id"] == product["id"])


def create_look(headers: dict[str, str], product_id: str) -> dict[str, Any]:
    shooting = httpx.post(
        f"{BASE_URL}/shootings/",
        headers=headers,
        json={"name": "Summer Collection", "brand_id": os.environ["BRAND_ID"]},
    ).json()
    look: dict[str, Any] = httpx.post(
        f"{BASE_URL}/shootings/{shooting['id']}/looks",
        headers=headers,
        json={
            "main_product_id": product_id,
            "subject_id": os.environ["SUBJECT_ID"],
            "style_id": os.environ["STYLE_ID"],
            "shot_type_ids": os.environ["SHOT_TYPE_IDS"].split(","),
        },
    ).json()
    return look


def generate(headers: dict[str, str], look: dict[str, Any]) -> list[dict[str, Any]]:
    """The look's shots, once each can be looked at."""
    for shot in look["shots"]:
        generation = httpx.post(
            f"{BASE_URL}/shots/{shot['id']}/generate", headers=headers, json={"num_predictions": 4}
        ).json()
        print(f"Generation started: {generation['id']}", file=sys.stderr)
    return [wait_for(headers, shot["id"]) for shot in look["shots"]]


def wait_for(headers: dict[str, str], shot_id: str, timeout: float = 240) -> dict[str, Any]:
    began = time.time()
    while time.time() - began < timeout:
        shot: dict[str, Any] = httpx.get(f"{BASE_URL}/shots/{shot_id}", headers=headers).json()
        if shot["status"] in {"review", "approved"}:
            return shot
        time.sleep(POLL_SECONDS)
    raise TimeoutError(shot_id)


def approve(headers: dict[str, str], shot: dict[str, Any]) -> dict[str, Any]:
    response = httpx.post(
        f"{BASE_URL}/shots/{shot['id']}/approve",
        headers=headers,
        json={"prediction_id": shot["current_prediction_id"]},
    )
    response.raise_for_status()
    approved: dict[str, Any] = response.json()
    return approved


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


def main(picture: Path) -> None:
    headers = log_in()
    product = create_product(headers, picture)
    look = create_look(headers, product["id"])
    ready = generate(headers, look)
    seen = {
        "product": product,
        "look": look,
        "ready": ready,
        "files": [len(httpx.get(shot["current_image_url"]).content) for shot in ready],
        "approved": [approve(headers, shot) for shot in ready],
        "errors": [
            failure("/products/", method="GET"),
            failure(f"/products/{look['id']}", method="GET", headers=headers),
            failure("/products/", method="POST", headers=headers, json={"name": "Summer Dress"}),
        ],
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
