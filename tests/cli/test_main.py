from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.settings import Settings
from serve_app.__main__ import describe
from tests.cli.conftest import Run

COMMANDS = (
    "up",
    "demo",
    "generate",
    "upscale",
    "remove-background",
    "train",
    "tasks",
    "workers",
    "db",
    "doctor",
    "models",
)


@pytest.mark.parametrize("program", ["script", "module"])
def test_both_ways_to_start_it(program: str) -> None:
    script = str(Path(sys.executable).with_name("sartiq"))
    command = [script] if program == "script" else [sys.executable, "-m", "serve_app"]
    run = subprocess.run([*command, "--help"], check=True, capture_output=True, text=True)
    assert all(f" {name} " in run.stdout for name in COMMANDS)


def test_models_lists_the_catalog(sartiq: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert sartiq("models") == 0
    assert "atelier-tiny" in capsys.readouterr().out


def test_settings_that_are_wrong_are_named_as_the_operator_knows_them(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(home=tmp_path, http={"port": 0})
    assert describe(refused.value).startswith("SARTIQ_HTTP_PORT: ")


def test_a_wrong_setting_is_one_sentence_on_the_terminal(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("sartiq")
    environment = {**os.environ, "SARTIQ_HOME": str(tmp_path), "SARTIQ_HTTP_PORT": "eight"}
    run = subprocess.run(
        [script, "models"], check=False, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr.startswith("error: SARTIQ_HTTP_PORT: ")
    assert len(run.stderr.splitlines()) == 1


def test_a_fault_of_ours_says_so() -> None:
    assert describe(KeyError("x")) == "unexpected KeyError: 'x' (--debug shows where)"
