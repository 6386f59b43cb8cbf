"""Accounts: your own, those of your organization, and what superusers do with them."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from db.models import Role
from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE
from tests.backend.conftest import As
from tests.factories.organizations import make_organization
from tests.factories.users import PASSWORD, make_token, make_user
from tests.fixtures.api import Gateway


async def test_a_superuser_makes_a_member(
    gateway: Gateway, acting: As, organization_id: UUID
) -> None:
    email = f"{uuid4().hex}@Example.com"
    body = {
        "email": email,
        "password": "long enough",
        "full_name": "Grace Hopper",
        "organization_id": str(organization_id),
        "role": "admin",
    }
    async with acting(superuser=True) as superuser:
        created = await superuser.post("/users/", json=body)
        assert created.status_code == 201
        user = created.json()
        assert (user["email"], user["role"]) == (email.lower(), "admin")
        assert user["created_at"].endswith("Z")
        assert (await superuser.post("/users/", json=body)).status_code == 409
        unknown = await superuser.post("/users/", json={**body, "organization_id": str(uuid4())})
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "Organization not found")
    async with gateway.client(None, BACKEND_BASE) as api:
        form = {"username": email, "password": "long enough"}
        token = (await api.post("/login/access-token", data=form)).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        listed = (await api.get("/users/", headers=bearer)).json()
        assert [one["id"] for one in listed["items"]] == [user["id"]]
        found = await api.get("/users/", headers=bearer, params={"q": "hOPPer"})
        assert found.json()["total"] == 1
        none = await api.get("/users/", headers=bearer, params={"q": "%"})
        assert none.json()["total"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": "long enough"}, "email"),
        ({"email": "no address", "password": "long enough"}, "email"),
        ({"email": "a@example.com", "password": "short"}, "password"),
        ({"email": "a@example.com", "password": "x" * 129}, "password"),
        ({"email": "a@example.com", "password": "long enough", "role": "king"}, "role"),
        ({"email": "a@example.com", "password": "long enough", "is_superuser": True},
         "is_superuser"),
        ({"email": "a@example.com", "password": "long enough", "full_name": "a\0"}, "full_name"),
    ],
)  # fmt: skip
async def test_bad_accounts(acting: As, body: dict[str, object], field: str) -> None:
    async with acting(superuser=True) as superuser:
        response = await superuser.post("/users/", json=body)
    assert response.status_code == 422
    assert [error["loc"][-1] for error in response.json()["detail"]] == [field]


async def test_your_own_account(gateway: Gateway, acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.VIEWER}) as viewer:
        me = (await viewer.get("/users/me")).json()
        assert me["role"] == "viewer"
        renamed = await viewer.patch("/users/me", json={"full_name": "Ada King"})
        assert (renamed.json()["full_name"], renamed.json()["email"]) == ("Ada King", me["email"])
        assert renamed.json()["updated_at"] > me["updated_at"]
        other = await make_user(gateway.resources.database)
        taken = await viewer.patch("/users/me", json={"email": other.email.upper()})
        assert taken.status_code == 409
        assert (await viewer.patch("/users/me", json={"role": "owner"})).status_code == 422
        wrong = {"current_password": "wrong", "new_password": "long enough"}
        assert (await viewer.post("/users/me/password", json=wrong)).status_code == 400
        right = {**wrong, "current_password": PASSWORD}
        assert (await viewer.post("/users/me/password", json=right)).status_code == 204
        # This login stays.
        assert (await viewer.get("/users/me")).status_code == 200


async def test_superusers_change_and_remove_accounts(
    gateway: Gateway, acting: As, organization_id: UUID
) -> None:
    user = await make_user(gateway.resources.database, memberships={organization_id: Role.VIEWER})
    token = await make_token(gateway.resources, user)
    named = {"X-Organization-Id": str(organization_id)}
    async with acting(superuser=True) as superuser, gateway.client(token, BACKEND_BASE) as theirs:
        url = f"/users/{user.id}"
        changed = await superuser.patch(url, json={"role": "editor"}, headers=named)
        assert changed.json()["role"] == "editor"
        assert (await theirs.get("/users/me")).json()["role"] == "editor"
        closed = await superuser.patch(url, json={"is_active": False}, headers=named)
        assert closed.json()["is_active"] is False
        assert (await theirs.get("/users/me")).status_code == 401
        assert (await superuser.delete(url)).status_code == 204
        assert (await superuser.delete(url)).status_code == 404
        me = (await superuser.get("/users/me")).json()["id"]
        assert (await superuser.delete(f"/users/{me}")).status_code == 409
        shut = await superuser.patch(f"/users/{me}", json={"is_active": False})
        assert shut.status_code == 409


async def test_members_of_others_are_not_found(
    gateway: Gateway, acting: As, organization_id: UUID
) -> None:
    other = await make_organization(gateway.resources.database)
    stranger = await make_user(gateway.resources.database, memberships={other.id: Role.EDITOR})
    async with acting({organization_id: Role.ADMIN}) as admin:
        assert (await admin.get(f"/users/{stranger.id}")).status_code == 404
        assert (await admin.get("/users/")).json()["total"] == 1


async def test_a_member_of_several_names_the_organization(
    gateway: Gateway, acting: As, organization_id: UUID
) -> None:
    second = (await make_organization(gateway.resources.database)).id
    async with acting({organization_id: Role.OWNER, second: Role.VIEWER}) as member:
        unnamed = await member.get("/users/")
        assert unnamed.status_code == 400
        assert "X-Organization-Id" in unnamed.json()["detail"]
        by_header = await member.get("/users/", headers={"X-Organization-Id": str(organization_id)})
        assert by_header.json()["total"] == 1
        as_viewer = await member.get("/users/", params={"organization_id": str(second)})
        assert as_viewer.status_code == 403
        nonsense = await member.get("/users/", headers={"X-Organization-Id": "mine"})
        assert nonsense.status_code == 422
    async with acting() as nobody:
        assert (await nobody.get("/users/")).status_code == 403


async def test_an_access_token_opens_the_compute_api(
    gateway: Gateway, organization_id: UUID
) -> None:
    user = await make_user(gateway.resources.database, memberships={organization_id: Role.EDITOR})
    token = await make_token(gateway.resources, user)
    async with gateway.client(token, COMPUTE_BASE) as compute:
        task = (await compute.post("/tasks/generation", json={"prompt": "a dress"})).json()
        assert (await compute.get(f"/tasks/{task['id']}")).status_code == 200
