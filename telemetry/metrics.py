"""Every metric of ours. Ray exports them to Prometheus, as ``ray_sartiq_…``.

A process that is not part of a Ray cluster, such as a test, records nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import ray
from ray.util import metrics as ray_metrics


class _Metric:
    """A metric, made in Ray when it is first recorded."""

    kind: type[Any]

    def __init__(
        self, name: str, description: str, *labels: str, buckets: Sequence[float] = ()
    ) -> None:
        self.name = f"sartiq_{name}"
        self.description = description
        self.labels = labels
        self._options = {"boundaries": list(buckets)} if buckets else {}
        self._made: Any = None

    def _in_ray(self) -> Any:
        """None where there is no Ray."""
        if self._made is None and ray.is_initialized():
            self._made = self.kind(
                self.name, self.description, tag_keys=self.labels, **self._options
            )
        return self._made


class Counter(_Metric):
    """Counts up; exported with ``_total`` at the end."""

    kind = ray_metrics.Counter

    def add(self, value: float = 1.0, **labels: str) -> None:
        """Count ``value`` more; nothing for 0."""
        if value > 0 and (made := self._in_ray()) is not None:
            made.inc(value, labels)


class Gauge(_Metric):
    """What something is now."""

    kind = ray_metrics.Gauge

    def set(self, value: float, **labels: str) -> None:
        """It is ``value``."""
        if (made := self._in_ray()) is not None:
            made.set(value, labels)


class Histogram(_Metric):
    """How many values were how large; exported as ``_bucket``, ``_sum`` and ``_count``."""

    kind = ray_metrics.Histogram

    def observe(self, value: float, **labels: str) -> None:
        """One more value."""
        if (made := self._in_ray()) is not None:
            made.observe(value, labels)


_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TASK = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 7200.0)
_STEP = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

HTTP_SECONDS: Final = Histogram(
    "http_request_seconds",
    "Requests, until the end of their answer.",
    *("operation", "method", "status"),
    buckets=_REQUEST,
)
TASKS: Final = Counter(
    "tasks",
    "Attempts that ended: completed, failed, retried, released, cancelled.",
    "type",
    "outcome",
)
TASK_FAILURES: Final = Counter("task_failures", "Attempts that failed, by cause.", "type", "code")
TASK_WAIT_SECONDS: Final = Histogram(
    "task_wait_seconds", "From its creation to the first claim.", "type", buckets=_TASK
)
TASK_RUN_SECONDS: Final = Histogram(
    "task_run_seconds", "Of attempts that completed.", "type", buckets=_TASK
)
QUEUE_PENDING: Final = Gauge("queue_pending", "Tasks that wait.", "queue")
QUEUE_RUNNING: Final = Gauge("queue_running", "Tasks that run.", "queue")
QUEUE_WORKERS: Final = Gauge("queue_workers", "Workers that serve the queue.", "queue")
QUEUE_OLDEST_WAIT: Final = Gauge(
    "queue_oldest_wait_seconds", "How long the first task has waited that could start.", "queue"
)
PROVIDER_CIRCUIT: Final = Gauge(
    "provider_circuit",
    "Whether calls to a hosted provider go through: 0 closed, 0.5 half open, 1 open.",
    "provider",
)
IMAGES: Final = Counter("images", "Images that models made.", "model")
STEP_SECONDS: Final = Histogram(
    "denoising_step_seconds",
    "One step of a call, on average over the call.",
    "model",
    buckets=_STEP,
)
MODEL_LOADS: Final = Counter("model_loads", "Models that were loaded, or not.", "model", "outcome")
LORA_REQUESTS: Final = Counter(
    "lora_requests", "LoRAs that requests named: in the replica's memory, or not.", "outcome"
)
DATABASE_CONNECTIONS: Final = Gauge("database_connections", "Clients of the database server.")
DATABASE_MAX_CONNECTIONS: Final = Gauge("database_max_connections", "How many there may be.")
DATABASE_BYTES: Final = Gauge("database_bytes", "Size of the database.")

ALL: Final[tuple[_Metric, ...]] = tuple(
    value for value in list(vars().values()) if isinstance(value, _Metric)
)
