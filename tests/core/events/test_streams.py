"""Streams over real sockets: in order, nothing twice, nothing missed, whatever breaks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from configs.settings import EventSettings, Settings
from db import url as database_url
from db.models import Role
from db.repositories import OrganizationScope
from db.repositories.api_keys import ApiKeyWriter
from db.repositories.members import MemberWriter
from db.session import Database
from serve_app.core.auth import hash_api_key
from serve_app.core.changes import Changes
from serve_app.core.events import feed as feed_module
from serve_app.core.events.feed import Feeds, TooManyStreams
from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE
from tests.factories.api_keys import make_api_key
from tests.factories.organizations import make_organization, make_scope
from tests.factories.tasks import claim, complete, make_task, make_tasks
from tests.factories.users import PASSWORD, make_user
from tests.fixtures.api import make_settings
from tests.fixtures.serving import gateway_process, serving
from tests.fixtures.streams import Reader, reading

HEARTBEAT = 0.3


class Platform:
    """A gateway on a socket, and one organization."""

    def __init__(self, url: str, settings: Settings, database: Database) -> None:
        self.url = url
        self.settings = settings
        self.database = database
        self.scope: OrganizationScope
        self.key: str

    def stream(self, base: str = COMPUTE_BASE, path: str = "/events/stream", **options: Any) -> Any:
        return reading(f"{self.url}{base}{path}", options.pop("bearer", self.key), **options)


@pytest.fixture
async def served(tmp_path: Path, own_database_url: str) -> AsyncIterator[Platform]:
    events = EventSettings(heartbeat_seconds=HEARTBEAT, streams_per_organization=5)
    settings = make_settings(tmp_path, own_database_url).model_copy(update={"events": events})
    database = Database.connect(settings)
    with serving(settings) as url:
        platform = Platform(url, settings, database)
        organization = await make_organization(database)
        platform.scope = OrganizationScope(organization.id)
        platform.key = await make_api_key(database, organization.id)
        yield platform
    await database.close()


@pytest.mark.parametrize("base", [BACKEND_BASE, COMPUTE_BASE])
async def test_what_happens_is_sent_at_once(served: Platform, base: str) -> None:
    platform = served
    await make_task(platform.database, platform.scope)
    async with platform.stream(base) as stream:
        headers = stream.response.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert headers["cache-control"] == "no-store"
        began = time.monotonic()
        task_id = await make_task(platform.database, platform.scope)
        (sent,) = await stream.events(1)
        assert time.monotonic() - began < 1
    assert (sent.id, sent.event) == ("2", "task.created")
    assert sent.data["subject_id"] == task_id
    assert sent.data["seq"] == 2


async def test_silence_is_broken_by_heartbeats_that_tell_the_place(
    served: Platform,
) -> None:
    platform = served
    async with platform.stream(kind="shot.*", after=0) as stream:
        await make_tasks(platform.database, platform.scope, 3)
        async with asyncio.timeout(10):
            async for sent in stream:
                assert sent.event is None
                if sent.id == "3":
                    break
        assert sent.comments == ["heartbeat"]


async def follow_a_burst(stream: Reader, count: int) -> list[int]:
    return [int(sent.id or 0) for sent in await stream.events(count)]


async def test_a_connection_cut_in_a_burst_loses_and_repeats_nothing(
    served: Platform,
) -> None:
    platform = served
    total, seen = 600, list[int]()

    async def burst() -> None:
        for _ in range(total // 30):
            await make_tasks(platform.database, platform.scope, 30)

    producing = asyncio.create_task(burst())
    last: str | None = "0"
    # Cut after 37 events each time, in the middle of what is on its way.
    while len(seen) < total:
        async with platform.stream(last_event_id=last) as stream:
            seen += await follow_a_burst(stream, min(37, total - len(seen)))
        last = str(seen[-1])
    await producing
    assert seen == list(range(1, total + 1))


async def test_a_killed_gateway_loses_and_repeats_nothing(served: Platform) -> None:
    platform = served
    total, seen = 300, list[int]()

    async def burst() -> None:
        for _ in range(total // 10):
            await make_tasks(platform.database, platform.scope, 10)
            await asyncio.sleep(0.02)

    producing: asyncio.Task[None] | None = None
    while len(seen) < total:
        with gateway_process(platform.settings) as (process, url):
            if producing is None:
                producing = asyncio.create_task(burst())
            stream_url = f"{url}{COMPUTE_BASE}/events/stream"
            place = str(seen[-1] if seen else 0)
            async with reading(stream_url, platform.key, last_event_id=place) as stream:
                seen += await follow_a_burst(stream, min(110, total - len(seen)))
                process.kill()
                # What was on its way may still come, and then the connection breaks.
                with suppress(httpx.TransportError):
                    seen += [int(sent.id) async for sent in stream if sent.id and sent.event]
    assert producing is not None
    await producing
    assert seen == list(range(1, total + 1))


async def test_an_hour_away_is_caught_up_from_the_database(served: Platform) -> None:
    platform = served
    async with platform.stream() as witness:  # keeps the feed of recent events alive
        away = 3 * feed_module._RECENT + 5
        for begun in range(0, away, 100):
            await make_tasks(platform.database, platform.scope, min(100, away - begun))
        await witness.events(away)
        async with platform.stream(after=0) as stream:
            assert await follow_a_burst(stream, away) == list(range(1, away + 1))
        async with platform.stream(last_event_id=str(away - 3), after=0) as stream:
            assert await follow_a_burst(stream, 3) == [away - 2, away - 1, away]


async def test_a_lost_listener_delays_and_loses_nothing(served: Platform) -> None:
    platform = served
    async with platform.stream(after=0) as stream:
        await make_task(platform.database, platform.scope)
        assert await follow_a_burst(stream, 1) == [1]
        connection = await asyncpg.connect(
            **database_url.connect_arguments(
                database_url.parse(platform.settings.database_url.get_secret_value())
            )
        )
        query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = 'sartiq listen' AND datname = current_database()"""
        assert len(await connection.fetch(query)) == 1  # one for all streams of the process
        await connection.close()
        await make_tasks(platform.database, platform.scope, 5)
        assert await follow_a_burst(stream, 5) == [2, 3, 4, 5, 6]


async def test_a_slow_client_holds_nobody_up(served: Platform) -> None:
    """One reads nothing while more is sent than any buffer holds; the other gets all of it."""
    platform = served
    total = 3000
    async with platform.stream(after=0) as slow, platform.stream(after=0) as quick:
        for _ in range(total // 100):
            await make_tasks(platform.database, platform.scope, 100)
        assert await follow_a_burst(quick, total) == list(range(1, total + 1))
        assert await follow_a_burst(slow, total) == list(range(1, total + 1))


async def test_a_revoked_key_ends_its_streams(served: Platform) -> None:
    platform = served
    async with platform.database.write() as session:
        keys = ApiKeyWriter(session)
        row = await keys.in_force(hash_api_key(platform.key))
        assert row is not None
    async with platform.stream() as stream:
        async with platform.database.write() as session:
            await ApiKeyWriter(session).revoke(platform.scope.organization_id, row.id)
        began = time.monotonic()
        assert await stream.events(1) == []  # it has ended
        assert time.monotonic() - began < 10 * HEARTBEAT
    async with platform.stream() as stream:
        assert stream.response.status_code == 401


async def test_a_browser_uses_a_token_in_the_query(served: Platform) -> None:
    platform = served
    organization_id = platform.scope.organization_id
    user = await make_user(platform.database, memberships={organization_id: Role.VIEWER})
    async with httpx.AsyncClient(base_url=platform.url + BACKEND_BASE, trust_env=False) as client:
        form = {"username": user.email, "password": PASSWORD}
        access = (await client.post("/login/access-token", data=form)).json()["access_token"]
        bearer = {"Authorization": f"Bearer {access}"}
        token = (await client.post("/events/token", headers=bearer)).json()["token"]
        # It opens streams, and nothing else; and nothing else opens streams from a URL.
        other = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/events", headers=other)).status_code == 401
    url = f"{platform.url}{BACKEND_BASE}/events/stream"
    for wrong in (access, platform.key):
        async with reading(url, token=wrong) as stream:
            assert stream.response.status_code == 401
    async with reading(url, token=token) as stream:
        await make_task(platform.database, platform.scope)
        assert len(await stream.events(1)) == 1
        async with platform.database.write() as session:
            members = MemberWriter(session, platform.scope)
            await members.remove(user.id)
        assert await stream.events(1) == []


async def test_a_place_beyond_the_end_is_refused(served: Platform) -> None:
    async with served.stream(after=7) as stream:
        assert stream.response.status_code == 422


async def test_streams_are_bounded(served: Platform) -> None:
    platform = served
    opened = [platform.stream() for _ in range(5)]
    for one in opened:
        await one.__aenter__()
    async with platform.stream() as refused:
        assert refused.response.status_code == 429
        assert int(refused.response.headers["Retry-After"]) > 0
    for one in opened:
        await one.__aexit__(None, None, None)
    # Room is given back as soon as the server sees that they are gone.
    async with asyncio.timeout(5):
        while True:
            async with platform.stream() as again:
                if again.response.status_code == 200:
                    break
            await asyncio.sleep(0.05)


async def test_streams_of_an_organization_read_its_events_once(own_database: Database) -> None:
    changes = Changes()
    await changes.listen(own_database)
    feeds = Feeds(own_database, changes, EventSettings(streams=2))
    scope, other = [await make_scope(own_database) for _ in range(2)]
    async with feeds.open(scope) as first, feeds.open(scope) as second:
        assert first is second
        with pytest.raises(TooManyStreams):
            async with feeds.open(other):
                pass
    async with feeds.open(other) as feed:
        await make_task(own_database, other)
        async with asyncio.timeout(5):
            while not (await feed.after(0))[0]:
                await asyncio.sleep(0.01)
    assert feeds._feeds == {}


async def test_a_task_from_its_beginning_to_its_end(served: Platform) -> None:
    platform = served
    task_id = await make_task(platform.database, platform.scope)
    await make_task(platform.database, platform.scope)
    path = f"/tasks/{task_id}/events"
    async with platform.stream(path=path) as stream:
        first = await stream.events(2)
        assert {sent.event for sent in first} == {"task.progress", "task.created"}
        assert [sent.id for sent in first if sent.event == "task.progress"] == [None]
        (claimed,) = await claim(platform.database)
        assert claimed.id == task_id
        await complete(platform.database, claimed)
        rest = await stream.events(10)  # ends with the task
    assert [sent.event for sent in rest] == ["task.running", "task.completed"]
    # A browser connects again by itself, and is told that there is no more.
    async with platform.stream(path=path, last_event_id=rest[-1].id) as stream:
        assert stream.response.status_code == 204
    async with platform.stream(path=path) as stream:
        again = await stream.events(10)
    events = [sent.event for sent in again if sent.id]
    assert events == ["task.created", "task.running", "task.completed"]


async def test_a_task_of_somebody_else(served: Platform) -> None:
    platform = served
    theirs = await make_task(platform.database, await make_scope(platform.database))
    async with platform.stream(path=f"/tasks/{theirs}/events") as stream:
        assert stream.response.status_code == 404


async def test_streams_end_when_the_process_is_about_to_go(
    tmp_path: Path, own_database: Database, own_database_url: str
) -> None:
    organization = await make_organization(own_database)
    scope, key = (
        OrganizationScope(organization.id),
        await make_api_key(own_database, organization.id),
    )
    going = threading.Event()
    with serving(make_settings(tmp_path, own_database_url), going.is_set) as url:
        stream_url = f"{url}{COMPUTE_BASE}/events/stream"
        async with reading(stream_url, key, last_event_id="0") as stream:
            await make_task(own_database, scope)
            await stream.events(1)
            going.set()
            async with asyncio.timeout(5):
                assert [sent async for sent in stream if sent.event] == []
        # Who comes again meanwhile is sent away politely: browsers give up at an error.
        async with reading(stream_url, key, last_event_id="1") as stream, asyncio.timeout(5):
            assert stream.response.status_code == 200
            assert [sent async for sent in stream if sent.event] == []
    await make_task(own_database, scope)
    with serving(make_settings(tmp_path, own_database_url)) as url:
        stream_url = f"{url}{COMPUTE_BASE}/events/stream"
        async with reading(stream_url, key, last_event_id="1") as stream:
            assert [sent.id for sent in await stream.events(1)] == ["2"]
