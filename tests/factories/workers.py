"""Workers, as a runner copies them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from db.session import Database
from serve_app.compute.runner.board import WorkerCopy
from serve_app.compute.runner.capacity import QueueSpec
from telemetry.reports import WorkerReport

QUEUES = {
    "generation": QueueSpec("Generation", 16),
    "training": QueueSpec(None, 1),
    "export": QueueSpec(None, 2),
}


def report(**changes: Any) -> WorkerReport:
    values: dict[str, Any] = {
        "id": "worker-01",
        "deployment": "Generation",
        "node": "node-1",
        "host": "host-1",
        "pid": 4711,
        "started_at": time.time() - 60,
        "at": time.time(),
        "tasks": (),
        "models": ("atelier-tiny",),
        "loading": None,
        "loras": (),
        "problem": None,
        "cpu": 1.5,
        "memory_bytes": 700_000_000,
        "gpu": None,
        "gpu_memory_bytes": None,
    }
    return WorkerReport(**{**values, **changes})


async def copy_workers(database: Database, reports: Sequence[WorkerReport]) -> list[str]:
    """Make these the workers of the platform; the ids that were taken off the board."""
    forgotten: list[str] = []
    copy = WorkerCopy(database, QUEUES, "TaskRunner", lambda: reports, forgotten.extend)
    await copy.copy()
    return forgotten
