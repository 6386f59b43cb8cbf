"""Requests made up from the OpenAPI documents, right and wrong ones: nothing breaks, and what is
answered is what the documents say."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from db.models import Role, User
from db.repositories import OrganizationScope
from db.session import Database
from serve_app.core.permissions import PERMISSIONS, Least
from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE
from tests.contract.test_openapi import document
from tests.factories.api_keys import make_api_key
from tests.factories.organizations import make_organization
from tests.factories.shootings import make_look
from tests.factories.users import PASSWORD, make_user
from tests.fixtures.api import make_settings
from tests.fixtures.serving import serving

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
# Requests act in the organization that has something in it, and wait for no task.
CONFIG = """
[parameters]
"header.X-Organization-Id" = "{organization_id}"
"query.organization_id" = "{organization_id}"
"query.wait" = 0
"""
SUPERUSERS = sorted(name for name, least in PERMISSIONS.items() if least is Least.SUPERUSER)


@dataclass(frozen=True, slots=True)
class Served:
    """A platform with one organization, and who calls it."""

    url: str
    organization_id: UUID
    owner: str
    superuser: str
    api_key: str


@pytest.fixture
async def served(tmp_path: Path, own_database_url: str) -> AsyncIterator[Served]:
    settings = make_settings(tmp_path, own_database_url)
    with serving(settings) as url:
        database = Database.connect(settings)
        organization = await make_organization(database)
        await make_look(database, OrganizationScope(organization.id))
        owner = await make_user(database, memberships={organization.id: Role.OWNER})
        superuser = await make_user(database, superuser=True)
        yield Served(
            url=url,
            organization_id=organization.id,
            owner=await log_in(url, owner),
            superuser=await log_in(url, superuser),
            api_key=await make_api_key(database, organization.id),
        )
        await database.close()


async def log_in(url: str, user: User) -> str:
    form = {"username": user.email, "password": PASSWORD}
    async with httpx.AsyncClient(base_url=url + BACKEND_BASE) as client:
        response = await client.post("/login/access-token", data=form)
    token: str = response.json()["access_token"]
    return token


async def attack(
    name: str,
    url: str,
    token: str,
    organization_id: UUID,
    folder: Path,
    *,
    seconds: int,
    options: tuple[str, ...] = (),
) -> None:
    """Let Schemathesis send what it makes up, for so long."""
    (folder / "openapi.json").write_text(json.dumps(document(name)))
    (folder / "schemathesis.toml").write_text(CONFIG.format(organization_id=organization_id))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"),
        *("run", "openapi.json", "--url", url, "--header", f"Authorization: Bearer {token}"),
        *("--checks", ",".join(CHECKS), "--continue-on-failure", "--no-color"),
        *("--warnings", "off", "--request-timeout", "30"),
        *("--max-time", str(seconds), "--seed", "20260101", *options),
    ]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=folder, capture_output=True, text=True, timeout=seconds + 120
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_the_backend(served: Served, tmp_path: Path) -> None:
    url = served.url + BACKEND_BASE
    # Who logs out is a stranger from then on.
    options = ("--exclude-operation-id", "logout")
    await attack(
        "backend", url, served.owner, served.organization_id, tmp_path, seconds=60, options=options
    )


async def test_the_backend_for_superusers(served: Served, tmp_path: Path) -> None:
    """What only they may do."""
    url = served.url + BACKEND_BASE
    options = tuple(word for name in SUPERUSERS for word in ("--include-operation-id", name))
    await attack(
        "backend",
        url,
        served.superuser,
        served.organization_id,
        tmp_path,
        seconds=15,
        options=options,
    )


async def test_the_compute_api(served: Served, tmp_path: Path) -> None:
    url = served.url + COMPUTE_BASE
    await attack("compute", url, served.api_key, served.organization_id, tmp_path, seconds=60)
