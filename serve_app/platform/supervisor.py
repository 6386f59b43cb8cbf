"""Runs the whole platform on one machine: Postgres, Ray, the application; and ends it again."""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from configs.settings import Settings
from db.embedded import EmbeddedPostgres
from db.migrate import upgrade
from serve_app.client import local_url
from serve_app.platform.environment import ray_environment
from serve_app.platform.errors import StartupError
from serve_app.platform.ports import Ports, refuse_taken_port

Say = Callable[[str], None]

_READY_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Running:
    """A platform that is ready.

    Attributes:
        settings: with the URL of the database that is in use.
        ports: what listens where.
        ray_token: what the Ray dashboard and every other client of the cluster asks for.
        failed: set when a part has ended that cannot be started again.
    """

    settings: Settings
    ports: Ports
    ray_token: str
    failed: asyncio.Event


@asynccontextmanager
async def running(settings: Settings, say: Say) -> AsyncIterator[Running]:
    """Start everything, yield when it is ready, and end everything.

    Args:
        settings: of the platform.
        say: told in a few words what happens next.

    Raises:
        StartupError: a part did not come up; those that did have been ended again.
    """
    ports = Ports.derive(settings)
    async with AsyncExitStack() as stack:
        stack.enter_context(_only_one(settings.home))
        refuse_taken_port(settings)
        settings = await stack.enter_async_context(_database(settings, say))
        assert settings.database_url is not None
        url = settings.database_url.get_secret_value()
        # Ray, and every replica after it, reads this environment when it starts.
        token = secrets.token_hex(32)
        os.environ.update(ray_environment(ports, token))
        os.environ["DATABASE_URL"] = url
        os.environ["SARTIQ_HOME"] = str(settings.home)
        say("starting Ray")
        cluster: Any = importlib.import_module("serve_app.platform.cluster")
        head, _ = await asyncio.gather(
            asyncio.to_thread(cluster.start_head, settings, ports), upgrade(url)
        )
        stack.push_async_callback(asyncio.to_thread, cluster.stop_head, head)
        say("starting the proxy")
        stack.push_async_callback(asyncio.to_thread, cluster.undeploy)
        await asyncio.to_thread(cluster.start_proxy, settings, ports)
        say("loading the models")
        await asyncio.to_thread(cluster.deploy, settings, _READY_SECONDS)
        await _wait_until_ready(settings)
        failed = asyncio.Event()
        stack.callback(asyncio.create_task(_watch_head(head, failed)).cancel)
        yield Running(settings, ports, token, failed)
        say("stopping: finishing or handing back what runs")


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the lock of this home: two platforms on one state would undo each other's work."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "platform.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartupError(
                f"a platform runs on {home} already; set SARTIQ_HOME and SARTIQ_HTTP_PORT "
                "to run another one"
            ) from None
        yield


@asynccontextmanager
async def _database(settings: Settings, say: Say) -> AsyncIterator[Settings]:
    """The configured database, or one of our own, which is started again whenever it dies."""
    if settings.database_url is not None:
        yield settings
        return
    say("starting Postgres")
    postgres = await asyncio.to_thread(EmbeddedPostgres, settings.home)
    url = await asyncio.to_thread(postgres.start)
    watch = asyncio.create_task(postgres.watch(lambda: None))
    try:
        yield settings.model_copy(update={"database_url": SecretStr(url)})
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await asyncio.to_thread(postgres.stop)


async def _wait_until_ready(settings: Settings) -> None:
    """Return when the gateway says that everything is ready.

    Raises:
        StartupError: with what it says instead, when time runs out.
    """
    deadline = time.monotonic() + _READY_SECONDS
    last = "no answer"
    # No proxy from the environment: this is our own loopback.
    async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                response = await client.get(f"{local_url(settings)}/readyz")
                if response.status_code == httpx.codes.OK:
                    return
                last = response.text
            await asyncio.sleep(0.1)
    raise StartupError(f"the platform is not ready: {last}")


async def _watch_head(head: Any, failed: asyncio.Event) -> None:
    """Notice that Ray itself has ended."""
    await asyncio.to_thread(head.wait)
    failed.set()
