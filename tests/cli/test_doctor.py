from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from configs.settings import Settings
from serve_app.cli.doctor import installation, machine
from serve_app.cli.doctor.command import examine


def doctor(home: Path, **environment: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of the installed script, row by row."""
    script = Path(sys.executable).with_name("sartiq")
    unset = {"DATABASE_URL", "STORAGE_URL", "API_KEY"}
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    run = subprocess.run(
        [script, "doctor", "--json"],
        check=False,
        env={**inherited, "SARTIQ_HOME": str(home), **environment},
        capture_output=True,
        text=True,
    )
    report = json.loads(run.stdout)
    return run.returncode, {finding["check"]: finding for finding in report["findings"]}


def test_faults_are_found_and_fail_the_command(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, findings = doctor(
        tmp_path,
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing",
        STORAGE_URL=(tmp_path / "file" / "storage").as_uri(),
        SARTIQ_MODELS_BACKGROUND_ONNX=str(tmp_path / "missing.onnx"),
    )
    assert code == 1
    for check in ("database", "storage", "background weights"):
        assert findings[check]["level"] == "fail"
        assert findings[check]["advice"]
    assert "missing.onnx" in findings["background weights"]["detail"]


def test_a_new_installation_is_in_order(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    levels = {finding.check: finding.level for finding in examine(settings)}
    for check in ("Python", "shared memory", "database", "storage", "upscaling weights"):
        assert levels[check] == "ok", check


def test_a_taken_port_is_named_with_its_holder(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        finding = installation.check_ports(Settings(home=tmp_path, http={"port": port}))
    assert finding.level == "fail"
    assert f"{port} (http)" in finding.detail
    assert f"pid {os.getpid()}" in finding.detail


def test_cuda_that_is_not_there_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where no nvidia-smi is
    assert machine.check_gpu(Settings(home=tmp_path)).level == "ok"
    assert machine.check_gpu(Settings(home=tmp_path, models={"device": "cuda"})).level == "fail"
