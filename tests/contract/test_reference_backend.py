"""The clients of the studio that customers have, run as they are: in Python, in JavaScript and
with curl, from the login to approved shots, against a gateway behind a real socket and a runner
whose models run in this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from db.models import Role
from serve_app.gateway import BACKEND_BASE
from tests.contract.test_reference_compute import CLIENTS
from tests.factories.pictures import picture
from tests.factories.presets import standard_shot_types
from tests.factories.shootings import make_brand
from tests.factories.styles import make_style
from tests.factories.subjects import make_subject
from tests.factories.users import PASSWORD, make_user
from tests.fixtures.serving import serving
from tests.fixtures.studio import StudioUnderTest

COMMANDS = {
    "python": [sys.executable, str(CLIENTS / "python_studio_client.py")],
    "javascript": ["node", str(CLIENTS / "javascript_studio_client.mjs")],
    "curl": ["bash", str(CLIENTS / "studio_client.sh")],
}
TOOLS = {"python": sys.executable, "javascript": "node", "curl": "curl"}
ERRORS = [
    [401, "Not authenticated"],
    [404, "Product not found"],
    [422, ["body.sku: Field required"]],
]


async def catalog(studio: StudioUnderTest) -> dict[str, str]:
    """What a customer has before the workflow begins, as the clients' environment."""
    database, scope = studio.gateway.resources.database, studio.scope
    shot_types = await standard_shot_types(database)
    user = await make_user(
        database,
        email=f"{uuid4().hex}@example.com",
        memberships={scope.organization_id: Role.EDITOR},
    )
    return {
        "USERNAME": user.email,
        "PASSWORD": PASSWORD,
        "BRAND_ID": str((await make_brand(database, scope)).id),
        "SUBJECT_ID": str((await make_subject(database, scope)).id),
        "STYLE_ID": str((await make_style(database, scope)).id),
        "SHOT_TYPE_IDS": ",".join(str(one.id) for one in shot_types[:2]),
    }


async def run(client: str, environment: dict[str, str], file: Path) -> dict[str, Any]:
    """What the client saw."""
    if shutil.which(TOOLS[client]) is None:
        pytest.skip(f"{TOOLS[client]} is not installed")
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[client],
        str(file),
        stdout=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "PYTHON": sys.executable,
            "POLL_SECONDS": "0.2",
            **environment,
        },
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    seen: dict[str, Any] = json.loads(output)
    return seen


@pytest.mark.parametrize("client", COMMANDS)
async def test_clients_of_the_reference(
    client: str, studio: StudioUnderTest, tmp_path: Path
) -> None:
    file = tmp_path / "product.jpg"
    file.write_bytes(picture(96, 128, "JPEG"))
    environment = await catalog(studio)
    with serving(studio.gateway.settings) as url:
        async with studio.running():
            base = url + BACKEND_BASE
            check(await run(client, environment | {"BASE_URL": base}, file), environment)


def check(seen: dict[str, Any], catalog: dict[str, str]) -> None:
    """What those clients rely on."""
    product, look = seen["product"], seen["look"]
    names = ("name", "sku", "category")
    assert [product[name] for name in names] == ["Summer Dress", "DRS-001", "dresses"]
    (image,) = product["images"]
    assert image["type"] == "primary"
    assert image["url"].startswith("http")
    assert look["main_product_id"] == product["id"]
    assert look["style_id"] == catalog["STYLE_ID"]
    shot_types = [shot["shot_type_id"] for shot in look["shots"]]
    assert shot_types == catalog["SHOT_TYPE_IDS"].split(",")
    assert [shot["status"] for shot in look["shots"]] == ["pending", "pending"]
    for drawn, ready, approved in zip(look["shots"], seen["ready"], seen["approved"], strict=True):
        assert drawn["id"] == ready["id"] == approved["id"]
        assert (ready["status"], approved["status"]) == ("review", "approved")
        assert approved["current_prediction_id"] == ready["current_prediction_id"]
    assert min(seen["files"]) > 100
    assert seen["errors"] == ERRORS
