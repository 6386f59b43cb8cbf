"""Notebooks work as they stand in the repository, and are kept without their output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs.settings import CHECKOUT

NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_it_runs_from_the_first_cell_to_the_last(notebook: Path) -> None:
    names: dict[str, Any] = {}
    for number, cell in enumerate(code_cells(notebook)):
        exec(compile("".join(cell["source"]), f"{notebook.name}, cell {number}", "exec"), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_holds_no_output(notebook: Path) -> None:
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code_cells(notebook))
