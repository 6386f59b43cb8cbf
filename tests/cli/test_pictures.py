from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.cli.compute_api import ComputeApi
from tests.cli.conftest import Run

Captured = pytest.CaptureFixture[str]


def test_generate_uploads_submits_and_saves(
    api: ComputeApi, sartiq: Run, there: list[str], product: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "new" / "folder"
    options = ["--steps", 5, "--guidance-scale", 3.5, "--seed", 9, "--output-format", "png"]
    code = sartiq(
        "generate", "--image", product, "--prompt", "a coat", "--out", out, *options, *there
    )
    assert code == 0
    assert api.uploads == [product.read_bytes()]
    assert api.bodies == [
        {
            "prompt": "a coat",
            "input_image_url": f"{api.url}/images/1.jpg?signature=abc",
            "num_outputs": 4,
            "steps": 5,
            "guidance_scale": 3.5,
            "seed": 9,
            "output_format": "png",
        }
    ]
    assert len(set(api.idempotency_keys)) == 1
    saved = sorted(out.iterdir())
    assert [path.name for path in saved] == [f"task_1-{n}.png" for n in (1, 2, 3, 4)]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in saved)
    printed = capsys.readouterr().out.splitlines()
    assert set(map(str, saved)) <= set(printed)


def test_generate_with_loras(
    api: ComputeApi, sartiq: Run, there: list[str], tmp_path: Path, capsys: Captured
) -> None:
    loras = ["--lora", "mira@2", "--lora", "dress:0.5"]
    assert sartiq("generate", "--prompt", "x", "--out", tmp_path, *loras, *there) == 0
    assert api.bodies[0]["loras"] == [{"name": "mira@2"}, {"name": "dress", "weight": 0.5}]
    assert sartiq("generate", "--prompt", "x", "--lora", "a:b", *there) == 1
    assert "'b' is no weight" in capsys.readouterr().err


def test_the_key_does_not_follow_to_the_pictures(
    api: ComputeApi, sartiq: Run, there: list[str], tmp_path: Path
) -> None:
    sartiq("generate", "--prompt", "x", "--num-outputs", 1, "--out", tmp_path, *there)
    assert api.image_headers
    assert all("authorization" not in headers for headers in api.image_headers)


@pytest.mark.parametrize(
    ("command", "config"),
    [
        (["upscale", "--scale", "3"], {"operation": "upscale", "scale": 3}),
        (["remove-background"], {"operation": "remove-background"}),
    ],
)
def test_processing(
    api: ComputeApi,
    sartiq: Run,
    there: list[str],
    product: Path,
    tmp_path: Path,
    command: list[str],
    config: dict[str, object],
) -> None:
    out = tmp_path / "out"
    assert sartiq(*command, "--image", product, "--out", out, *there) == 0
    url = f"{api.url}/images/1.jpg?signature=abc"
    assert api.bodies == [{"type": "processing", "config": {"image_url": url, **config}}]
    assert len(list(out.iterdir())) == 1


def test_a_platform_that_asks_for_patience_gets_it(
    api: ComputeApi, sartiq: Run, there: list[str], tmp_path: Path
) -> None:
    assert sartiq("generate", "--prompt", "busy", "--out", tmp_path / "out", *there) == 0
    assert api.polls["task_1"] >= 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prompt", "fail"], "task_1 failed: Invalid input: the picture is [empty]."),
        (["--prompt", "x", "--num-outputs", "17"], "num_outputs: at most 16."),
        (["--prompt", "x", "--api-key", "wrong"], "Could not validate credentials"),
        (["--prompt", "x", "--base-url", "http://127.0.0.1:1"], "Nothing answers at"),
        (["--prompt", "x", "--base-url", "nonsense"], "is no URL"),
    ],
)
def test_a_failure_is_one_sentence(
    sartiq: Run,
    there: list[str],
    tmp_path: Path,
    capsys: Captured,
    arguments: list[str],
    said: str,
) -> None:
    out = tmp_path / "out"
    assert sartiq("generate", *there, "--out", out, *arguments) == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.startswith("error: ")
    assert "Traceback" not in shown
    assert not out.exists()


def test_ctrl_c_cancels_the_task(
    api: ComputeApi, sartiq: Run, there: list[str], tmp_path: Path
) -> None:
    # A shell starts what runs in the background with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        while not api.polls.get("task_1"):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    code = sartiq("generate", "--prompt", "hang", "--out", tmp_path / "out", *there)
    thread.join()
    assert code == 130
    assert api.tasks["task_1"]["status"] == "cancelled"
