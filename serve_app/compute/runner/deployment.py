"""The runner as a Serve deployment."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from uuid import uuid4

import ray
from ray import serve

from configs.settings import get_settings
from serve_app.compute.runner.board import PERIOD_SECONDS, WorkerCopy
from serve_app.compute.runner.capacity import QueueSpec, ReplicaWatch
from serve_app.compute.runner.gauges import GAUGE_SECONDS, Gauges
from serve_app.compute.runner.runner import Runner
from serve_app.compute.runner.settlements import Observer
from serve_app.core.resources import open_resources
from telemetry.reports import Holdings, Reporter
from telemetry.setup import configure

logger = logging.getLogger(__name__)


@serve.deployment
class TaskRunner:
    """Claims and carries out tasks. Several replicas share the queues without talking.

    Args:
        handles: by queue, of the deployment that does its work, or what else does it; None: the
            runner itself.
        queues: by queue, how it is served.
        observers: are told of every task that has ended.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits a constructor
        self,
        handles: Mapping[str, Any],
        queues: Mapping[str, QueueSpec],
        observers: Sequence[Observer] = (),
    ) -> None:
        configure(get_settings(), "runner")
        self._stack = AsyncExitStack()
        gpu = ray.cluster_resources().get("GPU", 0) > 0
        resources = await self._stack.enter_async_context(open_resources(get_settings(), gpu=gpu))
        context = serve.get_replica_context()
        own = [name for name, spec in queues.items() if spec.deployment is None]
        copy = WorkerCopy(resources.database, queues, context.deployment)
        self._runner = Runner(
            runner_id=f"runner_{uuid4().hex[:12]}",
            resources=resources,
            handles=handles,
            watch=partial(ReplicaWatch, context.app_name, queues),
            observers=observers,
            chores=[
                (PERIOD_SECONDS, copy.copy),
                (GAUGE_SECONDS, Gauges(resources.database, resources.providers.names).record),
            ],
        )
        await self._runner.start()
        self._reporter = Reporter(
            lambda: Holdings(tasks=self._runner.working_on(own)), self._runner.check
        )
        self._reporter.start()

    def check_health(self) -> None:
        """Let Serve replace a runner whose loops have ended."""
        self._runner.check()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Runnable and running tasks by queue, for the autoscaling policy."""
        return {queue: float(count) for queue, count in self._runner.backlog().items()}

    async def __del__(self) -> None:
        """Serve awaits this when the replica is to go: finish or hand back, then disconnect."""
        await self._runner.drain()
        self._reporter.end()
        await self._stack.aclose()
