"""Noticing that this replica of Serve is about to go, while it still answers.

Serve waits until all requests have been answered, and streams of events never are: so they must end
by themselves. It tells the replica's own code of its end only afterwards, hence the look at what
Serve has noted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import ray

_LOOK_SECONDS = 0.2


def is_draining() -> bool:
    """Whether Serve has begun to end the replica that this process is; False outside of Serve."""
    # Serve tells it nowhere else.
    worker: Any = ray._private.worker.global_worker
    replica = worker.actors.get(worker.actor_id)
    implementation = getattr(replica, "_replica_impl", None)
    return bool(getattr(implementation, "_shutting_down", False))


async def when_draining(act: Callable[[], None], is_draining: Callable[[], bool]) -> None:
    """Wait until the replica is about to go, and act then."""
    while not is_draining():  # noqa: ASYNC110 - Serve sets no event
        await asyncio.sleep(_LOOK_SECONDS)
    act()
