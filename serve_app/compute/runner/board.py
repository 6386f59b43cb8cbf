"""Copies what the workers report into the database, where any gateway can read it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from db.repositories.workers import WorkerWriter
from db.session import Database
from serve_app.compute.runner.capacity import QueueSpec
from telemetry.reports import WorkerReport, forget, read_board

# Seconds between two copies; workers report as often.
PERIOD_SECONDS = 2.0
# A worker that has been silent for so long has died: it is shown no more.
_FORGET_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class WorkerCopy:
    """One chore of a runner.

    Args:
        database: where the copy goes.
        queues: how each queue is served.
        runner: name of the deployment that does the work of the queues without one.
        read: the board.
        forget: takes workers off the board.
    """

    database: Database
    queues: Mapping[str, QueueSpec]
    runner: str
    read: Callable[[], Sequence[WorkerReport]] = read_board
    forget: Callable[[Sequence[str]], None] = forget

    async def copy(self) -> None:
        """Copy once, and forget who has been silent for too long."""
        reports = await asyncio.to_thread(self.read)
        oldest = time.time() - _FORGET_SECONDS
        if lost := [report.id for report in reports if report.at < oldest]:
            await asyncio.to_thread(self.forget, lost)
        rows = [self._row(report) for report in reports if report.at >= oldest]
        async with self.database.write() as session:
            await WorkerWriter(session).replace(rows)

    def _row(self, report: WorkerReport) -> dict[str, Any]:
        row = report.as_dict()
        started_at, at = row.pop("started_at"), row.pop("at")
        return row | {
            "queues": self._queues_of(report.deployment),
            "started_at": _time(started_at),
            "heartbeat_at": _time(at),
        }

    def _queues_of(self, deployment: str) -> list[str]:
        return [
            name
            for name, spec in self.queues.items()
            if (spec.deployment or self.runner) == deployment
        ]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
