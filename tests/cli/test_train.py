"""`sartiq train` against a Compute API behind a real socket."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
import zipfile
from pathlib import Path

import pytest

from serve_app.cli.train import describe
from serve_app.client import Training
from tests.cli.compute_api import ComputeApi
from tests.cli.conftest import Run
from tests.factories.pictures import picture

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "Mira, summer"
    (folder / "more").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg", "more/3.jpg"):
        (folder / name).write_bytes(picture(kind="JPEG"))
    (folder / "1.txt").write_text("a dress")
    (folder / ".DS_Store").write_bytes(b"x")
    return folder


def test_train_packs_uploads_watches_and_saves(
    api: ComputeApi, sartiq: Run, there: list[str], images: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "loras"
    options = ["--steps", 10, "--rank", 4, "--sample-prompt", "mirxkq", "--seed", 3]
    code = sartiq(
        "train", "--images", images, "--trigger", "mirxkq", "--out", out, *options, *there
    )
    assert code == 0
    with zipfile.ZipFile(io.BytesIO(api.uploads[0])) as archive:
        assert archive.namelist() == ["1.jpg", "1.txt", "2.jpg", "more/3.jpg"]
        assert archive.read("1.txt") == b"a dress"
    assert api.bodies == [
        {
            "dataset_url": f"{api.url}/datasets/1.zip?signature=abc",
            "output_name": "Mira-summer",
            "config": {
                "trigger_word": "mirxkq",
                "entity_type": "subject",
                "captioning": "captions",
                "steps": 10,
                "rank": 4,
                "sample_prompts": ["mirxkq"],
                "seed": 3,
            },
        }
    ]
    assert len(api.idempotency_keys) == 1
    assert [path.name for path in out.iterdir()] == ["Mira-summer-2.safetensors"]
    printed = capsys.readouterr().out
    assert "2.jpg" in printed, "what the platform warns of"
    assert str(out / "Mira-summer-2.safetensors") in printed
    assert "--lora Mira-summer@2" in printed


def test_an_archive_is_sent_as_it_is(
    api: ComputeApi, sartiq: Run, there: list[str], tmp_path: Path
) -> None:
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.jpg", picture(kind="JPEG"))
    words = ["--trigger", "x", "--name", "coat", "--model", "atelier-tiny", "--epochs", 3]
    assert sartiq("train", "--images", archive, "--out", tmp_path / "o", *words, *there) == 0
    assert api.uploads == [archive.read_bytes()]
    assert (api.bodies[0]["output_name"], api.bodies[0]["base_model"]) == ("coat", "atelier-tiny")
    assert api.bodies[0]["config"]["epochs"] == 3


def test_an_empty_folder(sartiq: Run, there: list[str], tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "empty").mkdir()
    code = sartiq("train", "--images", tmp_path / "empty", "--trigger", "x", *there)
    assert code == 1
    assert "has no files" in capsys.readouterr().err


def test_ctrl_c_cancels_the_training(
    api: ComputeApi, sartiq: Run, there: list[str], images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        while not any(task["status"] == "running" for task in api.tasks.values()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ComputeApi, "_advance", lambda self, task, body: task.update(RUNNING))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        code = sartiq("train", "--images", images, "--trigger", "x", *there)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert code != 0
    assert [task["status"] for task in api.tasks.values()] == ["cancelled"]


RUNNING = {"status": "running", "progress": 0.1}


def test_what_a_training_is_at() -> None:
    metrics = {"current_epoch": 1, "total_epochs": 2, "current_step": 4, "total_steps": 10}
    shown = [
        ({"status": "pending"}, "pending"),
        ({"status": "running", "output": {"phase": "load"}}, "load"),
        ({"status": "running", "output": {"metrics": metrics}}, "running"),
        (
            {
                "status": "running",
                "output": {"metrics": {**metrics, "loss": 0.08341, "eta_seconds": 75.4}},
            },
            "step 4/10, loss 0.0834, 1:15 left",
        ),
        ({"status": "completed", "output": {"metrics": metrics}}, "completed"),
    ]
    for fields, words in shown:
        assert describe(Training.model_validate({"id": "train_1", **fields})) == words
