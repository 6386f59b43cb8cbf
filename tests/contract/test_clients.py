"""Client generators take both OpenAPI documents as they are, and miss nothing in them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from db.models import Role
from serve_app.gateway import BACKEND_BASE
from tests.contract.test_openapi import APIS, document
from tests.factories.pictures import picture
from tests.factories.users import PASSWORD, make_user
from tests.fixtures.serving import serving
from tests.fixtures.studio import StudioUnderTest

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


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """What a program says on both of its outputs; it must succeed."""
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def generated(name: str, folder: Path) -> Path:
    """The folder of the Python client of an API."""
    said = run(
        *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
        *("--path", written(name, folder), "--meta", "none", "--output-path", "client"),
        *("--config", CLIENTS / "openapi-python-client.yaml"),
        folder=folder,
    )
    assert "warning" not in said.lower()
    return folder / "client"


@pytest.mark.parametrize("name", APIS)
def test_a_python_client(name: str, tmp_path: Path) -> None:
    client = generated(name, tmp_path)
    assert {path.stem for path in client.glob("api/*/*.py")} - {"__init__"} == operation_ids(name)
    run(sys.executable, "-W", "error", "-c", IMPORT_ALL, folder=client)


async def test_the_python_client_does_the_work(studio: StudioUnderTest, tmp_path: Path) -> None:
    """From the login to approved shots, with nothing but generated code."""
    await asyncio.to_thread(generated, "backend", tmp_path)
    (tmp_path / "dress.jpg").write_bytes(picture(96, 128, "JPEG"))
    memberships = {studio.scope.organization_id: Role.EDITOR}
    user = await make_user(studio.gateway.resources.database, memberships=memberships)
    with serving(studio.gateway.settings) as url:
        async with studio.running():
            said = await asyncio.to_thread(
                run,
                *(sys.executable, CLIENTS / "generated_studio_client.py", "dress.jpg"),
                folder=tmp_path,
                PYTHONPATH=".",
                BASE_URL=url + BACKEND_BASE,
                USERNAME=user.email,
                PASSWORD=PASSWORD,
            )
    seen = json.loads(said)
    assert [one["status"] for one in seen["shots"]] == ["approved", "approved"]
    assert all(one["current_image_url"].startswith(url) for one in seen["shots"])
    assert seen["progress"]["approved"] == seen["progress"]["total"] == 2


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
