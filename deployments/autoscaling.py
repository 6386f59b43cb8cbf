"""Autoscaling by backlog: one policy for all model deployments of the application.

The task runner counts the tasks of each queue that are runnable or running, and Serve carries those
counts (``record_autoscaling_stats``) to its controller. There the policy divides them by what one
replica works on at a time. It runs inside the controller's loop, so it only reads what has arrived:
no database, no remote call. Bounds, delays and the cool-down before zero are Serve's own, set in
each deployment's ``autoscaling_config``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.serve.config import AutoscalingContext
    from ray.serve.schema import DeploymentID


class BacklogPolicy:
    """Replicas = backlog of the deployment's queue / tasks per replica, rounded up.

    An application-level policy (``applications[].autoscaling_policy``); Ray ships this module to
    the controller by value. A deployment whose count is missing or old keeps its replicas.

    Args:
        tasks_per_replica: by deployment name, how many tasks one replica works on at a time.
        queues: by deployment name, the name under which its backlog is reported.
        source: name of the deployment that reports the backlogs. When it has several replicas, each
            reports the same totals and the newest report counts.
        stale_after_seconds: age beyond which a report says nothing about the present.

    Raises:
        ValueError: a deployment has no queue or no positive ``tasks_per_replica``.
    """

    def __init__(
        self,
        *,
        queues: Mapping[str, str],
        tasks_per_replica: Mapping[str, float],
        source: str = "TaskRunner",
        stale_after_seconds: float = 10.0,
    ) -> None:
        if set(queues) != set(tasks_per_replica):
            raise ValueError("`queues` and `tasks_per_replica` must name the same deployments")
        if any(tasks <= 0 for tasks in tasks_per_replica.values()):
            raise ValueError("`tasks_per_replica` must be positive")
        self._queues = dict(queues)
        self._tasks_per_replica = dict(tasks_per_replica)
        self._source = source
        self._stale_after_seconds = stale_after_seconds

    def __call__(
        self, contexts: Mapping[DeploymentID, AutoscalingContext]
    ) -> tuple[dict[DeploymentID, int], dict[DeploymentID, dict[str, object]]]:
        """Desired replicas of each deployment with a queue; Serve applies bounds and delays."""
        backlogs = dict(self._fresh_backlogs(contexts))
        desired: dict[DeploymentID, int] = {}
        for deployment, context in contexts.items():
            queue = self._queues.get(deployment.name)
            if queue is None:
                continue
            backlog = backlogs.get(queue)
            if backlog is None:
                # Asking for what is there also restarts the cool-down, so that an outage of the
                # signal never counts as time spent idle.
                desired[deployment] = context.target_num_replicas
            else:
                per_replica = self._tasks_per_replica[deployment.name]
                desired[deployment] = math.ceil(backlog / per_replica)
        return desired, {}

    def _fresh_backlogs(
        self, contexts: Mapping[DeploymentID, AutoscalingContext]
    ) -> Iterator[tuple[str, float]]:
        """Newest count of each queue, where one is recent enough to act on."""
        for deployment, context in contexts.items():
            if deployment.name != self._source:
                continue
            for queue, series_by_replica in (context.raw_metrics or {}).items():
                points = [series[-1] for series in series_by_replica.values() if series]
                newest = max(points, key=lambda point: point.timestamp, default=None)
                if newest is None:
                    continue
                if context.current_time - newest.timestamp <= self._stale_after_seconds:
                    yield queue, newest.value
