"""A LoRA of the bundled model is trained through HTTP, by Ray Train, while pictures are made."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from safetensors import safe_open
from safetensors.numpy import load

from tests.e2e.client import ended, submit
from tests.factories.datasets import archive, pictures
from tests.fixtures.platform import LivePlatform

pytestmark = pytest.mark.platform

STEPS = 12


def begin(client: httpx.Client, data: bytes, **config: Any) -> dict[str, Any]:
    stored = client.post("/storage/datasets", files={"file": ("set.zip", data)})
    assert stored.status_code == 201, stored.text
    body = {
        "dataset_url": stored.json()["url"],
        "base_model": "atelier-tiny",
        "output_name": "mira",
        "config": {
            "steps": STEPS,
            "rank": 4,
            "seed": 3,
            "trigger_word": "mirxkq",
            "validation_split": 0.2,
            "sample_every": 6,
            "checkpoint_every": 4,
            **config,
        },
    }
    made = client.post("/training/", json=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def dataset() -> bytes:
    return archive({**pictures(5, width=128, height=192), "00.txt": "a dress"})


def test_a_training_of_the_bundled_model(platform: LivePlatform, tmp_path: Any) -> None:
    with platform.client() as client:
        training = begin(client, dataset())
        seen: list[dict[str, Any]] = []

        def watch(_: float) -> None:
            seen.append(client.get(f"/training/{training['id']}").json())

        # Other queues go on meanwhile.
        picture = submit(client, model="tiny", prompt="a dress")
        assert ended(client, picture["id"])["status"] == "completed"
        done = ended(client, training["id"], watch)
        assert done["status"] == "completed", done
        found = client.get(f"/training/{training['id']}").json()
        history = client.get(f"/training/{training['id']}/metrics").json()
        plot = client.get(f"/training/{training['id']}/plot")
    output = found["output"]
    assert output["metrics"]["current_step"] == STEPS
    assert [one["step"] for one in history["steps"]] == list(range(1, STEPS + 1))
    assert all(0 < one["loss"] < 10 for one in history["steps"])
    assert [one["step"] for one in history["validations"]] == [6, 12]
    assert all(one["loss"] and one["similarity"] for one in history["validations"])
    assert [one["step"] for one in output["samples"]] == [6, 12]
    assert plot.content.startswith(b"\x89PNG")
    assert any(one["output"] and one["output"]["phase"] == "train" for one in seen)
    weights = httpx.get(output["lora"]["url"], trust_env=False, timeout=30).content
    assert len(load(weights)) > 10
    path = tmp_path / "lora.safetensors"
    path.write_bytes(weights)
    with safe_open(path, framework="numpy") as file:
        header = file.metadata()
    text = json.dumps(header)
    assert "mirxkq" in text
    assert "atelier-tiny" in text
