"""Client generators take both OpenAPI documents as they are, and miss nothing in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.test_openapi import APIS, document

CLIENTS = Path(__file__).parent / "clients"
# Where `make` installs the generators that are written in JavaScript.
NODE = Path(sys.prefix) / "node" / "node_modules" / ".bin"
IMPORT_ALL = """
import pkgutil, sys
sys.path.insert(0, "..")
for module in pkgutil.walk_packages(["."], "client."):
    __import__(module.name)
"""


def written(name: str, folder: Path) -> Path:
    path = folder / "openapi.json"
    path.write_text(json.dumps(document(name)))
    return path


def operation_ids(name: str) -> set[str]:
    paths = document(name)["paths"].values()
    return {one["operationId"] for methods in paths for one in methods.values()}


def run(*command: str | Path, folder: Path) -> str:
    """What a program says on both of its outputs; it must succeed."""
    done = subprocess.run(  # noqa: PLW1510
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("name", APIS)
def test_a_python_client(name: str, tmp_path: Path) -> None:
    said = run(
        *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
        *("--path", written(name, tmp_path), "--meta", "none", "--output-path", "client"),
        *("--config", CLIENTS / "openapi-python-client.yaml"),
        folder=tmp_path,
    )
    assert "warning" not in said.lower()
    client = tmp_path / "client"
    assert {path.stem for path in client.glob("api/*/*.py")} - {"__init__"} == operation_ids(name)
    run(sys.executable, "-W", "error", "-c", IMPORT_ALL, folder=client)


@pytest.mark.skipif(
    not (NODE / "openapi-typescript").exists(),
    reason="needs Node.js: install it, remove .venv/.installed-dev and run `make test`",
)
@pytest.mark.parametrize("name", APIS)
def test_a_typescript_client(name: str, tmp_path: Path) -> None:
    said = run(
        NODE / "openapi-typescript", written(name, tmp_path), "-o", "api.d.ts", folder=tmp_path
    )
    assert "warn" not in said.lower()
    text = (tmp_path / "api.d.ts").read_text()
    operations = text[text.index("export interface operations") :]
    assert set(re.findall(r"^    (\w+): \{$", operations, re.MULTILINE)) == operation_ids(name)
    run(NODE / "tsc", "--noEmit", "--strict", "api.d.ts", folder=tmp_path)
