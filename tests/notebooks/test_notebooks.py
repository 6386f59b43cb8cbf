"""Notebooks work as they stand in the repository, and show what they made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from configs.settings import CHECKOUT
from tests.fixtures.platform import SUPERUSER, LivePlatform

NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))


def code_cells(notebook: Path) -> list[Any]:
    cells = nbformat.read(notebook, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.platform
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_the_first_cell_to_the_last(
    path: Path, platform: LivePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = SUPERUSER | {
        "SARTIQ_HOME": str(platform.home),
        "SARTIQ_HTTP_PORT": str(platform.ports.http),
        "API_KEY": platform.api_key,
        "PYTHONPATH": str(CHECKOUT),
        "NOTEBOOK_STEPS": "8",
        # The kernel listens on loopback, and asks nobody about newer versions of itself.
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(platform.home / "ipython"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": CHECKOUT}}
    )
    client.execute(env=dict(os.environ))
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_shows_pictures_that_it_made(path: Path) -> None:
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
