"""`sartiq tail` and the client's `follow`, against a gateway that is killed and comes back."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from db.repositories import OrganizationScope
from db.repositories.queue import TaskQueue
from db.session import Database
from serve_app.cli.tail import line
from serve_app.client import ClientError, ComputeClient, Event
from serve_app.core.signals import Signal
from tests.factories.api_keys import make_api_key
from tests.factories.organizations import make_organization
from tests.factories.tasks import claim, complete, make_task, make_tasks
from tests.fixtures.api import make_settings
from tests.fixtures.serving import gateway_process, serving


async def tenant(database: Database) -> tuple[OrganizationScope, str]:
    organization = await make_organization(database)
    key = await make_api_key(database, organization.id)
    return OrganizationScope(organization.id), key


async def test_follow_goes_on_where_a_killed_gateway_broke_it(
    tmp_path: Path, own_database: Database, own_database_url: str
) -> None:
    settings = make_settings(tmp_path, own_database_url)
    scope, key = await tenant(own_database)
    seen: list[int | None] = []
    broken = threading.Event()

    def follow(url: str) -> None:
        with ComputeClient(url, key) as client:
            for event in client.follow(after=0, on_break=lambda _: broken.set()):
                seen.append(event.seq)
                if event.seq == 40:
                    return

    with gateway_process(settings) as (process, url):
        port = int(url.rpartition(":")[2])
        following = asyncio.create_task(asyncio.to_thread(follow, url))
        await make_tasks(own_database, scope, 20)
        async with asyncio.timeout(20):
            while len(seen) < 20:
                await asyncio.sleep(0.02)
        process.kill()
    await make_tasks(own_database, scope, 20)
    async with asyncio.timeout(20):
        while not broken.is_set():
            await asyncio.sleep(0.02)
    with gateway_process(settings, port=port):
        async with asyncio.timeout(60):
            await following
    assert seen == list(range(1, 41))


async def test_pages_and_a_task_with_its_signals(
    tmp_path: Path, own_database: Database, own_database_url: str
) -> None:
    settings = make_settings(tmp_path, own_database_url)
    settings = settings.model_copy(
        update={"events": settings.events.model_copy(update={"stream_seconds": 60.0})}
    )
    scope, key = await tenant(own_database)
    task_id = await make_task(own_database, scope)
    (claimed,) = await claim(own_database)
    with serving(settings) as url, ComputeClient(url, key) as client:
        page = await asyncio.to_thread(client.events, 1)
        assert [event.kind for event in page.items] == ["task.running"]
        seen: list[Event] = []

        def follow() -> None:
            seen.extend(client.follow(task_id=task_id))

        following = asyncio.create_task(asyncio.to_thread(follow))
        for event, data in (
            ("progress", {"progress": 0.5}),
            ("preview", {"index": 0, "url": "data:image/webp;base64,UklG"}),
        ):
            sent = Signal(task_id=task_id, event=event, data=data)
            for _ in range(3):
                async with own_database.write() as session:
                    await TaskQueue(session).signal([sent.model_dump_json()])
                await asyncio.sleep(0.3)
        await complete(own_database, claimed)
        async with asyncio.timeout(30):
            await following
        with pytest.raises(ClientError) as refused:
            next(iter(client.follow(task_id="task_unknown")))
    assert refused.value.status_code == 404
    kinds = [event.kind for event in seen]
    logged = [kind for kind in kinds if kind not in {"task.progress", "task.preview"}]
    assert logged == ["task.created", "task.running", "task.completed"]
    halves = [event for event in seen if event.data.get("progress") == 0.5]
    assert halves
    assert {(event.seq, event.subject_id) for event in halves} == {(None, task_id)}
    assert any(event.data.get("url", "").startswith("data:image/webp") for event in seen)


async def test_tail_prints_lines_until_it_is_interrupted(
    tmp_path: Path, own_database: Database, own_database_url: str
) -> None:
    settings = make_settings(tmp_path, own_database_url)
    scope, key = await tenant(own_database)
    task_id = await make_task(own_database, scope)
    with serving(settings) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "serve_app", "tail", "--after", "0", "--kind", "task.*"),
            *("--base-url", url, "--api-key", key),
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        later = await make_task(own_database, scope)
        second = (await process.stdout.readline()).decode()
        process.send_signal(signal.SIGINT)
        await process.wait()
    assert f"1 task.created             {task_id}  type=generation" in first
    assert later in second
    assert process.returncode in {0, 130}


def test_a_line_steers_no_terminal() -> None:
    event = Event(kind="task.failed", subject_id="task_1", data={"error": "\x1b[2Jgone\nhere"})
    assert "\x1b" not in line(event).plain
    assert line(event).plain.endswith("task_1  error= [2Jgone here")
