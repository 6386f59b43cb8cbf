"""People are invited by mail, and come in by its token."""

from __future__ import annotations

import asyncio
import re
from uuid import UUID, uuid4

import httpx
import pytest

from db.models import Role
from serve_app.gateway import BACKEND_BASE
from tests.backend.conftest import As
from tests.factories.users import make_user
from tests.fixtures.api import Gateway


@pytest.fixture
async def anybody(gateway: Gateway):
    async with gateway.client(None, BACKEND_BASE) as client:
        yield client


def token_of(caplog: pytest.LogCaptureFixture) -> str:
    """Of the last mail; without a mail server the log has it."""
    return re.findall(r"invitation\?token=(\S+)", caplog.text)[-1]


async def accept(client: httpx.AsyncClient, token: str, **body: str) -> httpx.Response:
    return await client.post("/invitations/accept", json={"token": token, **body})


async def test_a_new_person_joins(
    acting: As,
    anybody: httpx.AsyncClient,
    organization_id: UUID,
    caplog: pytest.LogCaptureFixture,
) -> None:
    email = f"{uuid4().hex}@example.com"
    url = f"/organizations/{organization_id}/invitations/"
    async with acting({organization_id: Role.ADMIN}) as admin:
        made = await admin.post(url, json={"email": email.upper(), "role": "viewer"})
        assert (made.status_code, made.json()["email"]) == (201, email)
        token = token_of(caplog)
        assert token not in made.text
        assert (await admin.get(url)).json()["items"] == [made.json()]
        no_password = await accept(anybody, token)
        assert no_password.json()["detail"][0]["loc"] == ["body", "password"]
        joined = await accept(anybody, token, password="long enough", full_name="Ada")
        assert (joined.status_code, joined.json()["role"]) == (200, "viewer")
        # It is used up, and the place is taken.
        assert (await accept(anybody, token, password="long enough")).status_code == 400
        assert (await admin.get(url)).json()["total"] == 0
        assert (await admin.post(url, json={"email": email})).status_code == 409
    form = {"username": email, "password": "long enough"}
    assert (await anybody.post("/login/access-token", data=form)).status_code == 200


async def test_an_account_joins_a_second_organization(
    gateway: Gateway,
    acting: As,
    anybody: httpx.AsyncClient,
    organization_id: UUID,
    caplog: pytest.LogCaptureFixture,
) -> None:
    user = await make_user(gateway.resources.database)
    async with acting({organization_id: Role.ADMIN}) as admin:
        url = f"/organizations/{organization_id}/invitations/"
        await admin.post(url, json={"email": user.email})
    token = token_of(caplog)
    answers = await asyncio.gather(*(accept(anybody, token) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
    assert {a.json()["id"] for a in answers if a.status_code == 200} == {str(user.id)}


async def test_what_ends_an_invitation(
    acting: As,
    anybody: httpx.AsyncClient,
    organization_id: UUID,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"/organizations/{organization_id}/invitations/"
    body = {"email": f"{uuid4().hex}@example.com", "role": "editor"}
    async with acting({organization_id: Role.ADMIN}) as admin:
        await admin.post(url, json=body)
        first = token_of(caplog)
        again = await admin.post(url, json=body)
        assert (await accept(anybody, first, password="long enough")).status_code == 400
        second = token_of(caplog)
        withdrawn = url + again.json()["id"]
        assert (await admin.delete(withdrawn)).status_code == 204
        assert (await admin.delete(withdrawn)).status_code == 404
        assert (await accept(anybody, second, password="long enough")).status_code == 400
        assert (await admin.post(url, json={**body, "role": "owner"})).status_code == 403
        assert (await admin.post(url, json={**body, "email": "nobody"})).status_code == 422
    for token in ("", "x", "a\0b", "x" * 201):
        assert (await accept(anybody, token, password="long enough")).status_code in {400, 422}
