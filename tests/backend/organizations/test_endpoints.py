"""Organizations and their members."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from db.models import Role
from serve_app.gateway import COMPUTE_BASE
from tests.backend.conftest import As
from tests.factories.pictures import picture
from tests.factories.users import make_token, make_user
from tests.fixtures.api import NOTHING, Gateway, Tenant


async def my_id(client: httpx.AsyncClient) -> str:
    return (await client.get("/users/me")).json()["id"]


async def test_superusers_make_organizations(acting: As) -> None:
    slug = f"maison-{uuid4().hex[:8]}"
    async with acting(superuser=True) as superuser:
        body = {"name": "Maison", "slug": slug}
        made = await superuser.post("/organizations/", json=body)
        assert made.status_code == 201
        assert (await superuser.post("/organizations/", json=body)).status_code == 409
        for bad in ("Maison", "-a", "a--b", "ä", "", "a" * 64):
            response = await superuser.post("/organizations/", json={**body, "slug": bad})
            assert response.json()["detail"][0]["loc"] == ["body", "slug"], bad
        url = f"/organizations/{made.json()['id']}"
        assert (await superuser.get(url)).json() == made.json()
        found = await superuser.get("/organizations/", params={"size": 100, "q": "maiSON"})
        assert slug in [one["slug"] for one in found.json()["items"]]
        assert (await superuser.get(f"/organizations/{uuid4()}")).status_code == 404


async def test_members_see_their_own(acting: As, organization_id: UUID) -> None:
    async with acting({organization_id: Role.ADMIN}) as admin:
        listed = (await admin.get("/organizations/")).json()
        assert [one["id"] for one in listed["items"]] == [str(organization_id)]
        url = f"/organizations/{organization_id}"
        renamed = await admin.patch(url, json={"name": "New name"})
        assert renamed.json()["name"] == "New name"
        assert (await admin.get(url)).json() == renamed.json()
        assert (await admin.get(f"/organizations/{uuid4()}")).status_code == 404
        assert (await admin.get("/organizations/mine")).status_code == 422


async def test_the_path_names_the_organization(acting: As, organization_id: UUID) -> None:
    """A header does not lend the rights of one organization to another."""
    async with acting({organization_id: Role.OWNER}) as owner, acting(superuser=True) as superuser:
        body = {"name": "Other", "slug": f"other-{uuid4().hex[:8]}"}
        other = (await superuser.post("/organizations/", json=body)).json()["id"]
        mine = {"X-Organization-Id": str(organization_id)}
        for path in ("", "/members/", "/invitations/"):
            response = await owner.get(f"/organizations/{other}{path}", headers=mine)
            assert response.status_code == 404
        patched = await owner.patch(f"/organizations/{other}", json={"name": "!"}, headers=mine)
        assert patched.status_code == 404


async def test_roles_of_members(gateway: Gateway, acting: As, organization_id: UUID) -> None:
    url = f"/organizations/{organization_id}/members/"
    async with (
        acting({organization_id: Role.OWNER}) as owner,
        acting({organization_id: Role.ADMIN}) as admin,
        acting({organization_id: Role.VIEWER}) as viewer,
    ):
        people = {"owner": owner, "admin": admin, "viewer": viewer}
        ids = {name: await my_id(client) for name, client in people.items()}
        listed = (await viewer.get(url)).json()
        assert [one["role"] for one in listed["items"]] == ["owner", "admin", "viewer"]
        made = await admin.patch(url + ids["viewer"], json={"role": "editor"})
        assert made.json()["role"] == "editor"
        # Owners are made, changed and removed by owners alone.
        for name, role in (("viewer", "owner"), ("owner", "viewer")):
            response = await admin.patch(url + ids[name], json={"role": role})
            assert response.status_code == 403
        assert (await admin.delete(url + ids["owner"])).status_code == 403
        # Of which there is always one.
        for response in (
            await owner.patch(url + ids["owner"], json={"role": "admin"}),
            await owner.delete(url + ids["owner"]),
        ):
            assert response.status_code == 409
        assert (await owner.patch(url + ids["admin"], json={"role": "owner"})).status_code == 200
        assert (await owner.delete(url + ids["viewer"])).status_code == 204
        assert (await owner.delete(url + ids["viewer"])).status_code == 404
        assert (await viewer.get(url)).status_code == 404
        stranger = await make_user(gateway.resources.database)
        unknown = await owner.patch(url + str(stranger.id), json={"role": "viewer"})
        assert unknown.status_code == 404


async def test_two_owners_cannot_both_leave(acting: As, organization_id: UUID) -> None:
    url = f"/organizations/{organization_id}/members/"
    async with (
        acting({organization_id: Role.OWNER}) as first,
        acting({organization_id: Role.OWNER}) as second,
    ):
        ids = [await my_id(client) for client in (first, second)]
        answers = await asyncio.gather(first.delete(url + ids[1]), second.delete(url + ids[0]))
    done, refused = sorted(answer.status_code for answer in answers)
    assert (done, refused in {403, 404, 409}) == (204, True)


async def test_deleting_one_leaves_nothing(acting: As, tenant: Tenant, other: Tenant) -> None:
    for one in (tenant, other):
        await one.compute.post("/storage/images", files={"file": picture()})
        await one.compute.post("/tasks/generation", json={"prompt": "a dress"})
    member = await make_user(tenant.database, memberships={tenant.organization_id: Role.OWNER})
    token = await make_token(tenant.gateway.resources, member)
    kept = await other.stored()
    async with acting(superuser=True) as superuser:
        url = f"/organizations/{tenant.organization_id}"
        assert (await superuser.delete(url)).status_code == 204
        assert (await superuser.delete(url)).status_code == 404
        default = tenant.gateway.resources.default_organization
        assert (await superuser.delete(f"/organizations/{default}")).status_code == 409
    assert await tenant.stored() == NOTHING
    assert await other.stored() == kept
    # Its key opens nothing, and its member is a member of nothing.
    assert (await tenant.compute.get("/tasks/")).status_code == 401
    async with tenant.gateway.client(token, COMPUTE_BASE) as theirs:
        assert (await theirs.get("/tasks/")).status_code == 403


async def test_deleting_one_that_is_at_work(acting: As, tenant: Tenant) -> None:
    created = await tenant.compute.post("/tasks/generation", json={"prompt": "a dress"})
    row = {"id": created.json()["id"]}
    async with acting(superuser=True) as superuser, tenant.database.write() as work:
        await work.execute(text("SELECT 1 FROM tasks WHERE id = :id FOR UPDATE"), row)
        deletion = asyncio.create_task(superuser.delete(f"/organizations/{tenant.organization_id}"))
        # It holds the organization's row by now, and waits for the task's. Postgres looks for a
        # deadlock a second after that, and gives up whoever has waited longer.
        await asyncio.sleep(0.3)
        assert not deletion.done()
        query = text("SELECT 1 FROM organizations WHERE id = :id FOR UPDATE")
        await work.execute(query, {"id": tenant.organization_id})
        await work.commit()
        assert (await deletion).status_code == 204
    assert await tenant.stored() == NOTHING


@pytest.mark.parametrize("body", [{}, {"role": "king"}, {"role": None}, {"email": "a@b.c"}])
async def test_bad_roles(acting: As, organization_id: UUID, body: dict[str, object]) -> None:
    async with acting({organization_id: Role.OWNER}) as owner:
        url = f"/organizations/{organization_id}/members/{uuid4()}"
        assert (await owner.patch(url, json=body)).status_code == 422
