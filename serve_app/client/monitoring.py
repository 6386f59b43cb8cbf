"""What the client reads of the view inside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from serve_app.client.answers import Answer, Status


class Queue(Answer):
    """One queue; ``oldest_wait_seconds`` is of a task that could start now."""

    name: str
    pending: int
    delayed: int
    running: int
    workers: int
    oldest_wait_seconds: float | None


class Queues(Answer):
    """All of them."""

    queues: tuple[Queue, ...]


class Worker(Answer):
    """One replica that does work; ``cpu`` counts processors, ``gpu_utilization`` is in [0, 1]."""

    id: str
    deployment: str
    queues: tuple[str, ...]
    status: str
    problem: str | None
    node: str
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    loading: str | None
    loras: tuple[str, ...]
    cpu: float
    memory_bytes: int
    gpu_utilization: float | None
    gpu_memory_bytes: int | None
    last_heartbeat: datetime


class Workers(Answer):
    """Some of them, and how many there are."""

    items: tuple[Worker, ...]
    total: int


class MonitoredTask(Answer):
    """A task without its output."""

    id: str
    type: str
    queue: str
    status: Status
    model: str | None
    progress: float
    attempt: int
    error: str | None
    created_at: datetime
    wait_seconds: float
    duration_seconds: float | None


class MonitoredTasks(Answer):
    """Some of them, and how many there are."""

    items: tuple[MonitoredTask, ...]
    total: int


class Phase(Answer):
    """What happened to a task for a while; ``seconds`` is None while it lasts."""

    phase: str
    attempt: int
    started_at: datetime
    seconds: float | None


class FailedAttempt(Answer):
    """Why an attempt ended without a result."""

    attempt: int
    code: str
    reason: str


class MonitoredTaskDetail(MonitoredTask):
    """A task, and what happened to it when."""

    config: dict[str, Any]
    failures: tuple[FailedAttempt, ...]
    request_id: str | None
    runner: str | None
    worker: str | None
    timeline: tuple[Phase, ...]
