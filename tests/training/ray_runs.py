"""What the tests of `RayTrainer` do on a Ray of their own, in a process of its own.

Ray takes settings from the environment when it is imported, and warns of much that our tests take
for an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psutil

from configs.catalog import ModelEntry
from configs.settings import Settings
from serve_app.platform.environment import ray_environment, run_folder
from serve_app.platform.ports import Ports
from tests.fixtures.platform import free_http_port
from training.contracts import Checkpoint, Event, TrainingRequest
from training.scaling import Scaling


@dataclass
class Outcome:
    """Events of a run, how it ended, and how long its workers outlived it."""

    events: list[Event] = field(default_factory=list)
    error: str | None = None
    seconds_until_gone: float = 0.0


class Cluster:
    """A node on the loopback that has no processor left, as the platform's."""

    head: ClassVar[object]
    ports: ClassVar[Ports]

    @classmethod
    def start(cls, home: Path) -> None:
        port = free_http_port()
        settings = Settings(home=home, http={"port": port}, ray={"num_cpus": 0}, environment="test")
        cls.ports = Ports.derive(settings)
        os.environ.update(ray_environment(cls.ports, secrets.token_hex(32)))
        import ray

        from serve_app.platform.cluster import start_head

        cls.head = start_head(settings, cls.ports)
        ray.init(f"127.0.0.1:{cls.ports.gcs}", log_to_driver=False, logging_level=logging.ERROR)

    @classmethod
    def stop(cls) -> None:
        import ray

        from serve_app.platform.cluster import stop_head

        ray.shutdown()
        stop_head(cls.head)
        shutil.rmtree(run_folder(cls.ports), ignore_errors=True)


# What computes; a lone worker is its own driver.
_WORKING = ("RayTrainWorker", "TrainingDriver")


def processes(*names: str) -> list[psutil.Process]:
    """Processes of the cluster with such titles."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, IndexError):
            if child.cmdline()[0].startswith(tuple(f"ray::{name}" for name in names)):
                found.append(child)
    return found


def train(
    catalog: Mapping[str, ModelEntry],
    request: TrainingRequest,
    scaling: Scaling,
    *,
    kill: str | None = None,
    close: bool = False,
) -> Outcome:
    """A run; after its second checkpoint ``kill`` a process, or ``close`` the stream."""
    from training.run import RayTrainer

    outcome = Outcome()

    async def consume() -> None:
        checkpoints = 0
        events = RayTrainer(catalog, scaling)(request)
        async for event in events:
            outcome.events.append(event)
            checkpoints += isinstance(event, Checkpoint)
            if isinstance(event, Checkpoint) and checkpoints == 2:
                if kill is not None:
                    processes(kill)[0].send_signal(signal.SIGKILL)
                if close:
                    assert len(processes(*_WORKING)) >= scaling.workers
                    await events.aclose()

    from ray.exceptions import RayError

    try:
        asyncio.run(consume())
    except RayError as error:
        outcome.error = type(error).__name__
    began = time.monotonic()
    while processes(*_WORKING) and time.monotonic() - began < 30:
        time.sleep(0.05)
    outcome.seconds_until_gone = time.monotonic() - began
    return outcome
