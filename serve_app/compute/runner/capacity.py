"""How much each queue's replicas can take on now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ray import serve
from ray.serve.schema import ReplicaState

logger = logging.getLogger(__name__)

# A look costs some 50 ms of processor time, here and in Serve's controller, and on a small machine
# the models would miss it: seldom while no task waits for a replica.
_WAITED_FOR_SECONDS = 0.5
_IDLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """How a queue is served.

    Attributes:
        deployment: the Serve deployment that does its work; None: each runner does it itself.
        slots: units of work (images) that one replica holds at once, those waiting for its next
            batch included.
        for_newcomers: units that it holds beyond that, of organizations with fewer than as many.
    """

    deployment: str | None
    slots: int
    for_newcomers: int = 0


class ReplicaWatch:
    """Counts the running replicas of each queue's deployment.

    Serve's controller is asked, not the handle: it knows at once of a replica that has died, and a
    replica that is still loading its model does not count.
    """

    def __init__(
        self, application: str, queues: Mapping[str, QueueSpec], on_change: Callable[[str], None]
    ) -> None:
        self._application = application
        self._queues = queues
        self._on_change = on_change
        # A runner is a replica of its own queues.
        self._replicas = {name: int(spec.deployment is None) for name, spec in queues.items()}
        self._asked = asyncio.Event()

    def capacity(self, queue: str) -> int:
        """Units of work that the queue's replicas hold at once, all together."""
        return self._replicas[queue] * self._queues[queue].slots

    def for_newcomers(self, queue: str) -> int:
        """Units of work that they hold beyond that, of organizations with fewer than as many."""
        return self._replicas[queue] * self._queues[queue].for_newcomers

    def look_soon(self) -> None:
        """Somebody depends on the number of replicas now."""
        self._asked.set()

    async def run(self, is_waited_for: Callable[[], bool]) -> None:
        """Look again and again, for ever; seldom while nothing depends on it and nobody asks.

        Args:
            is_waited_for: whether tasks are there that no replica has taken on.
        """
        while True:
            self._asked.clear()
            try:
                await self.refresh()
            except Exception:
                logger.exception("the state of the replicas is not to be had")
            await asyncio.sleep(_WAITED_FOR_SECONDS)
            if not is_waited_for():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE_SECONDS - _WAITED_FOR_SECONDS):
                        await self._asked.wait()

    async def refresh(self) -> None:
        """Look now; say which queues have more or fewer replicas than before."""
        status = await asyncio.to_thread(serve.status)
        deployments = status.applications[self._application].deployments
        for queue, spec in self._queues.items():
            if spec.deployment is None:
                continue
            found = deployments.get(spec.deployment)
            running = found.replica_states.get(ReplicaState.RUNNING, 0) if found else 0
            if running != self._replicas[queue]:
                self._replicas[queue] = running
                self._on_change(queue)
