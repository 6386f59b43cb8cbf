"""Deliveries to real servers: signed, at least once, in spite of whatever breaks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from configs.settings import Settings, WebhookSettings
from db.models import WebhookDelivery
from serve_app.compute.webhooks.deliverer import Deliverer
from tests.factories.tasks import claim, complete, make_task, make_tasks
from tests.fixtures.api import Gateway, Tenant, a_tenant, make_settings, running_gateway
from tests.fixtures.receivers import Received, receiving
from tests.fixtures.web import HOST, resolve

QUICK = WebhookSettings(
    tries=3, first_delay_seconds=0.1, delay_factor=1.5, timeout_seconds=1, poll_seconds=0.05
)


@pytest.fixture
async def hooked(tmp_path: Path, own_database_url: str) -> AsyncIterator[Tenant]:
    settings = make_settings(tmp_path, own_database_url).model_copy(update={"webhooks": QUICK})
    async with running_gateway(settings) as gateway, a_tenant(gateway) as tenant:
        yield tenant


@asynccontextmanager
async def delivering(gateway: Gateway) -> AsyncIterator[None]:
    loop = asyncio.create_task(Deliverer(gateway.resources).run())
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def create(tenant: Tenant, url: str, *events: str) -> dict[str, Any]:
    body = {"url": url, "events": list(events) or ["*"]}
    response = await tenant.compute.post("/webhooks/", json=body)
    assert response.status_code == 201, response.text
    return response.json()


async def settled(tenant: Tenant, webhook_id: str, count: int) -> list[dict[str, Any]]:
    """The deliveries of an endpoint, once so many are over, oldest first."""
    async with asyncio.timeout(30):
        while True:
            url = f"/webhooks/{webhook_id}/deliveries"
            items = (await tenant.compute.get(url, params={"size": 100})).json()["items"]
            if sum(item["status"] != "pending" for item in items) >= count:
                return items[::-1]
            await asyncio.sleep(0.02)


def verify(secret: str, received: Received) -> Any:
    return Webhook(secret).verify(received.body, received.headers)


async def test_events_arrive_signed(hooked: Tenant) -> None:
    async with receiving() as receiver, delivering(hooked.gateway):
        hook = await create(hooked, receiver.url(), "task.completed", "task.running")
        assert hook["secret"].startswith("whsec_")
        task_id = await make_task(hooked.database, hooked.scope)
        (claimed,) = await claim(hooked.database)
        await complete(hooked.database, claimed)
        await receiver.wait_for(2)
        deliveries = await settled(hooked, hook["id"], 2)
    told = [verify(hook["secret"], one) for one in receiver.got]
    told.sort(key=lambda one: one["data"]["seq"])
    assert [one["type"] for one in told] == ["task.running", "task.completed"]
    assert told[1]["data"] == {
        "seq": 3,
        "subject_id": task_id,
        "type": "generation",
        "status": "completed",
        "attempt": 1,
    }
    assert told[1]["timestamp"].endswith("Z")
    assert {one["id"] for one in deliveries} == {one.id for one in receiver.got}
    assert {one["status"] for one in deliveries} == {"delivered"}
    assert deliveries[0]["attempts"][0]["status"] == 204
    with pytest.raises(WebhookVerificationError):
        verify("whsec_" + "A" * 32, receiver.got[0])
    # It is shown once, and kept unreadable.
    assert "secret" not in (await hooked.compute.get(f"/webhooks/{hook['id']}")).json()


async def test_a_rotated_secret_signs_beside_the_new_one(hooked: Tenant) -> None:
    async with receiving() as receiver, delivering(hooked.gateway):
        hook = await create(hooked, receiver.url())
        url = f"/webhooks/{hook['id']}/rotate-secret"
        new = (await hooked.compute.post(url)).json()["secret"]
        assert (await hooked.compute.post(f"/webhooks/{hook['id']}/test")).status_code == 200
        (received,) = await receiver.wait_for(1)
    for secret in (hook["secret"], new):
        assert verify(secret, received)["type"] == "webhook.test"


async def test_tries_again_until_it_is_taken_and_keeps_each_answer(hooked: Tenant) -> None:
    answers = [(500, b"out of order " * 1000), (302, b""), (200, b"fine")]

    async def answer(_: Received) -> tuple[int, bytes]:
        return answers.pop(0)

    async with receiving(answer, headers="Location: /elsewhere\r\n") as receiver:
        hook = await create(hooked, receiver.url())
        async with delivering(hooked.gateway):
            await make_task(hooked.database, hooked.scope)
            (delivery,) = await settled(hooked, hook["id"], 1)
    assert [one.path for one in receiver.got] == ["/hook"] * 3  # no redirect was followed
    assert len({one.id for one in receiver.got}) == 1
    assert delivery["status"] == "delivered"
    assert [one["status"] for one in delivery["attempts"]] == [500, 302, 200]
    assert len(delivery["attempts"][0]["body"]) == 1024
    assert delivery["attempts"][2]["body"] == "fine"


async def test_long_failure_disables_with_an_event(hooked: Tenant) -> None:
    async def refuse(_: Received) -> tuple[int, bytes]:
        return 500, b"no"

    async with receiving(refuse) as broken, receiving() as other:
        hook = await create(hooked, broken.url(), "task.*")
        watch = await create(hooked, other.url(), "webhook.*")
        async with delivering(hooked.gateway):
            await make_task(hooked.database, hooked.scope)
            (delivery,) = await settled(hooked, hook["id"], 1)
            assert (delivery["status"], len(delivery["attempts"])) == ("failed", QUICK.tries)
            (told,) = await other.wait_for(1)
            assert told.json["type"] == "webhook.disabled"
            assert told.json["data"]["subject_id"] == hook["id"]
            read = (await hooked.compute.get(f"/webhooks/{hook['id']}")).json()
            assert read["enabled"] is False
            assert "3 tries" in read["disabled_reason"]
            # Nothing is sent any more, until it is enabled again.
            await make_task(hooked.database, hooked.scope)
            again = f"/webhooks/deliveries/{delivery['id']}/redeliver"
            assert (await hooked.compute.post(again)).status_code == 409
            broken.answer = other.answer
            await hooked.compute.patch(f"/webhooks/{hook['id']}", json={"enabled": True})
            await make_task(hooked.database, hooked.scope)
            seen = await broken.wait_for(QUICK.tries + 1)
            assert seen[-1].json["data"]["seq"] == 4
            assert (await hooked.compute.post(again)).status_code == 200
            await broken.wait_for(QUICK.tries + 2)
            assert broken.got[-1].id == broken.got[0].id
    assert watch["id"] != hook["id"]


async def test_gone_disables_at_once(hooked: Tenant) -> None:
    async def gone(_: Received) -> tuple[int, bytes]:
        return 410, b""

    async with receiving(gone) as receiver, delivering(hooked.gateway):
        hook = await create(hooked, receiver.url(), "task.*")
        await make_task(hooked.database, hooked.scope)
        (delivery,) = await settled(hooked, hook["id"], 1)
        assert (delivery["status"], len(delivery["attempts"])) == ("failed", 1)
        read = (await hooked.compute.get(f"/webhooks/{hook['id']}")).json()
        assert "410" in read["disabled_reason"]


async def test_a_hanging_receiver_delays_nobody(hooked: Tenant) -> None:
    async def hang(_: Received) -> tuple[int, bytes]:
        await asyncio.sleep(60)
        return 200, b""

    async with receiving(hang) as hanging, receiving() as quick:
        await create(hooked, hanging.url(), "task.*")
        hook = await create(hooked, quick.url(), "task.*")
        await make_tasks(hooked.database, hooked.scope, 100)
        async with delivering(hooked.gateway):
            # A hundred for each wait already; those that hang may take two seconds of each slot.
            await quick.wait_for(100, seconds=10)
            await settled(hooked, hook["id"], 100)
    assert len({one.id for one in quick.got}) == 100
    assert sorted(one.json["data"]["seq"] for one in quick.got) == list(range(1, 101))


async def test_runners_share_the_work(hooked: Tenant) -> None:
    async with receiving() as receiver:
        hook = await create(hooked, receiver.url())
        await make_tasks(hooked.database, hooked.scope, 200)
        async with (
            delivering(hooked.gateway),
            delivering(hooked.gateway),
            delivering(hooked.gateway),
        ):
            await settled(hooked, hook["id"], 100)
            await receiver.wait_for(200)
            await asyncio.sleep(0.3)
    assert sorted(one.json["data"]["seq"] for one in receiver.got) == list(range(1, 201))


async def test_a_runner_killed_in_a_delivery(hooked: Tenant) -> None:
    """Between the receiver's having it and the commit: it comes again, with the same id."""
    killed = asyncio.Event()
    process: subprocess.Popen[bytes] | None = None

    async def answer(_: Received) -> tuple[int, bytes]:
        if not killed.is_set():
            assert process is not None
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed.set()
            await asyncio.sleep(60)
        return 200, b""

    async with receiving(answer) as receiver:
        hook = await create(hooked, receiver.url())
        await make_tasks(hooked.database, hooked.scope, 3)
        process = start_deliverer(hooked.gateway.settings)
        async with asyncio.timeout(60):
            await killed.wait()
        async with delivering(hooked.gateway):
            deliveries = await settled(hooked, hook["id"], 3)
    assert {one["status"] for one in deliveries} == {"delivered"}
    seqs = {one.id: one.json["data"]["seq"] for one in receiver.got}
    assert sorted(seqs.values()) == [1, 2, 3]  # an id for each event, however often it came
    assert len(receiver.got) > 3


def start_deliverer(settings: Settings) -> subprocess.Popen[bytes]:
    assert settings.database_url is not None
    environment = os.environ | {
        "SARTIQ_ENVIRONMENT": "test",
        "SARTIQ_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "SARTIQ_SECRET_KEY": settings.secret_key.get_secret_value(),
        "SARTIQ_FETCH_ALLOWED_PRIVATE_HOSTS": HOST,
        "SARTIQ_WEBHOOKS_TIMEOUT_SECONDS": "1",
    }
    return subprocess.Popen([sys.executable, "-m", __name__], env=environment)


async def main() -> None:
    """The process that is killed."""
    from configs.settings import get_settings
    from serve_app.core.resources import open_resources

    async with open_resources(get_settings(), gpu=False, resolver=resolve) as resources:
        await Deliverer(resources).run()


async def test_names_that_change_their_mind(tmp_path: Path, own_database_url: str) -> None:
    """Public when the endpoint is made, private when it is delivered to: no connection is made."""
    answers: list[Sequence[str]] = [["93.184.216.34"], ["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    from serve_app.core.dependencies import RESOURCES_STATE
    from serve_app.gateway import create_gateway

    settings = make_settings(tmp_path, own_database_url).model_copy(update={"webhooks": QUICK})
    app = create_gateway(settings, gpu=False, resolver=rebinding)
    async with app.router.lifespan_context(app):
        assert hasattr(app.state, RESOURCES_STATE)
        gateway = Gateway(app, settings)
        async with a_tenant(gateway) as tenant, receiving() as receiver, delivering(gateway):
            url = f"http://rebinding.example:{receiver.port}/"
            hook = await create(tenant, url)
            await make_task(tenant.database, tenant.scope)
            (delivery,) = await settled(tenant, hook["id"], 1)
        assert receiver.got == []
        assert "not a public address" in delivery["attempts"][0]["error"]


@pytest.mark.parametrize(
    "url",
    [
        "http://private.example/",
        "http://loopback.example/",
        "http://metadata.example/latest",
        "http://mixed.example/",
        "http://127.0.0.1:8000/",
        "http://nowhere.example/",
        "ftp://images.example/",
        "http://user:password@images.example/",
    ],
)
async def test_private_addresses_are_refused(tenant: Tenant, url: str) -> None:
    response = await tenant.compute.post("/webhooks/", json={"url": url})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "url"]
    task = {"prompt": "a dress", "webhook_url": url}
    response = await tenant.compute.post("/tasks/generation", json=task)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "webhook_url"]
    assert (await tenant.stored())["tasks"] == 0


async def test_the_end_of_a_task_is_told_to_its_own_url(hooked: Tenant) -> None:
    async with receiving() as receiver, delivering(hooked.gateway):
        secret = (await hooked.compute.post("/webhooks/secret")).json()["secret"]
        body = {"prompt": "a dress", "webhook_url": receiver.url("/task")}
        task = (await hooked.compute.post("/tasks/generation", json=body)).json()
        await make_task(hooked.database, hooked.scope)
        await hooked.compute.post(f"/tasks/{task['id']}/cancel")
        (received,) = await receiver.wait_for(1)
        url = f"/webhooks/deliveries?task_id={task['id']}"
        async with asyncio.timeout(10):
            while True:
                found = (await hooked.compute.get(url)).json()
                if found["items"] and found["items"][0]["status"] == "delivered":
                    break
                await asyncio.sleep(0.02)
    told = verify(secret, received)
    assert (told["type"], told["data"]["subject_id"]) == ("task.cancelled", task["id"])
    assert found["total"] == 1
    assert len(receiver.got) == 1


async def test_secrets_are_sealed(hooked: Tenant) -> None:
    from sqlalchemy import select

    from db.models import Webhook as WebhookRow

    hook = await create(hooked, "http://images.example/")
    async with hooked.database.read() as session:
        row = (await session.scalars(select(WebhookRow))).one()
        assert hook["secret"] not in row.secret
        assert hooked.gateway.resources.vault.open(row.secret) == hook["secret"]
        assert not (await session.scalars(select(WebhookDelivery))).all()


def test_nine_tries_take_about_a_day() -> None:
    settings = WebhookSettings()
    waits = [
        settings.first_delay_seconds * settings.delay_factor**n for n in range(settings.tries - 1)
    ]
    assert settings.tries >= 8
    assert 20 * 3600 < sum(waits) < 30 * 3600


if __name__ == "__main__":
    asyncio.run(main())
