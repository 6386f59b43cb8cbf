from __future__ import annotations

from serve_app.gateway import COMPUTE_BASE
from tests.factories.pictures import picture
from tests.fixtures.api import NOTHING, Gateway, a_tenant, running_gateway
from tests.fixtures.database import execute

# Raises where nothing can be undone any more: at the commit.
FAIL_AT_COMMIT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the disk of the database is full'; END $$;
CREATE CONSTRAINT TRIGGER fails AFTER INSERT OR UPDATE ON tasks
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
"""


async def test_what_was_not_committed_is_not_answered(own_gateway: Gateway) -> None:
    async with a_tenant(own_gateway) as tenant:
        kept = (await tenant.compute.post("/tasks/generation", json={"prompt": "a"})).json()
        before = await tenant.stored()
        assert own_gateway.settings.database_url is not None
        url = own_gateway.settings.database_url.get_secret_value()
        await execute(url, FAIL_AT_COMMIT)
        for path, body in (
            ("/tasks/generation", {"prompt": "a"}),
            ("/tasks/", {"type": "generation", "config": {"prompt": "a"}}),
            (f"/tasks/{kept['id']}/cancel", None),
        ):
            response = await tenant.compute.post(path, json=body)
            assert response.status_code == 500, path
            # Nothing of what the database said reaches the client.
            assert response.json() == {"detail": "Internal server error"}
        assert await tenant.stored() == before
        status = (await tenant.compute.get(f"/tasks/{kept['id']}")).json()["status"]
        assert status == "pending"


async def test_a_failed_commit_does_not_use_the_key_up(own_gateway: Gateway) -> None:
    async with a_tenant(own_gateway) as tenant:
        assert own_gateway.settings.database_url is not None
        url = own_gateway.settings.database_url.get_secret_value()
        await execute(url, FAIL_AT_COMMIT)
        headers = {"Idempotency-Key": "k"}

        async def submit() -> int:
            response = await tenant.compute.post(
                "/tasks/generation", json={"prompt": "a"}, headers=headers
            )
            return response.status_code

        assert await submit() == 500
        assert await tenant.stored() == NOTHING
        await execute(url, "DROP TRIGGER fails ON tasks")
        assert await submit() == 201


async def test_public_url_is_the_base_of_every_url(own_gateway: Gateway) -> None:
    http = own_gateway.settings.http.model_copy(update={"public_url": "https://cdn.test/"})
    settings = own_gateway.settings.model_copy(update={"http": http})

    async with running_gateway(settings) as gateway, gateway.client(base=COMPUTE_BASE) as compute:
        image = (await compute.post("/storage/images", files={"file": picture()})).json()
        assert image["url"].startswith(f"https://cdn.test{COMPUTE_BASE}/storage/images/")
        # Ours, under whichever name.
        for url in (image["url"], image["url"].replace("https://cdn.test", "http://platform.test")):
            body = {"prompt": "a", "input_image_url": url}
            assert (await compute.post("/tasks/generation", json=body)).status_code == 201
