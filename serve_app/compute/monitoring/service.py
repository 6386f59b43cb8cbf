"""From rows to what the API answers about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from db.models import Task, TaskStatus, Worker
from db.repositories.monitoring import Known, Monitor
from db.timeline import read_timeline
from serve_app.compute.monitoring.schemas import (
    DatabaseUseRead,
    FailureCountRead,
    MonitoredTaskDetailRead,
    MonitoredTaskRead,
    PhaseRead,
    StatsRead,
    StorageUseRead,
    TypeStatsRead,
    WorkerHealthRead,
    WorkerRead,
    WorkersHealthRead,
    WorkerStatus,
)
from serve_app.compute.tasks.schemas import FailedAttempt

# A worker reports every two seconds, and its report is copied within two more.
_SILENT_AFTER = timedelta(seconds=15)


def read_worker(worker: Worker, known: Known, *, operator: bool) -> WorkerRead:
    """A worker as the viewer may see it: foreign tasks and adapters have no names."""
    status, problem = _health(worker)
    return WorkerRead(
        id=worker.id,
        deployment=worker.deployment,
        queues=worker.queues,
        status=status,
        problem=problem,
        node=worker.node,
        host=worker.host if operator else None,
        pid=worker.pid if operator else None,
        started_at=worker.started_at,
        last_heartbeat=worker.heartbeat_at,
        tasks=[task for task in worker.tasks if task in known.tasks],
        models=worker.models,
        loading=worker.loading,
        loras=[known.adapters[digest] for digest in worker.loras if digest in known.adapters],
        cpu=worker.cpu,
        memory_bytes=worker.memory_bytes,
        gpu_utilization=worker.gpu,
        gpu_memory_bytes=worker.gpu_memory_bytes,
    )


def read_health(workers: Sequence[Worker]) -> WorkersHealthRead:
    """The workers in short."""
    read = []
    for worker in workers:
        status, problem = _health(worker)
        read.append(
            WorkerHealthRead(
                id=worker.id,
                status=status,
                gpu_utilization=worker.gpu,
                last_heartbeat=worker.heartbeat_at,
                deployment=worker.deployment,
                problem=problem,
            )
        )
    unhealthy = sum(worker.status == "unhealthy" for worker in read)
    return WorkersHealthRead(
        healthy=len(read) - unhealthy, unhealthy=unhealthy, total=len(read), workers=read
    )


def _health(worker: Worker) -> tuple[WorkerStatus, str | None]:
    """Status, and why it is not healthy if it is not."""
    silent = datetime.now(UTC) - worker.heartbeat_at
    if silent > _SILENT_AFTER:
        return "unhealthy", f"silent for {silent.total_seconds():.0f} s"
    if worker.problem is not None:
        return "unhealthy", worker.problem
    if worker.tasks:
        return "busy", None
    return ("loading" if worker.loading else "idle"), None


def read_monitored_task(task: Task) -> MonitoredTaskRead:
    """A task without its output."""
    return MonitoredTaskRead(**_fields(task))


async def read_monitored_detail(monitor: Monitor, task: Task) -> MonitoredTaskDetailRead:
    """A task with its timeline, and the worker that holds it."""
    worker = await monitor.worker_of(task.id) if task.status is TaskStatus.RUNNING else None
    return MonitoredTaskDetailRead(
        **_fields(task),
        config=task.config,
        failures=[FailedAttempt.model_validate(one) for one in task.failures],
        request_id=(task.origin or {}).get("request_id"),
        runner=task.runner_id,
        worker=worker,
        timeline=list(_phases(task)),
    )


def _fields(task: Task) -> dict[str, Any]:
    names = set(MonitoredTaskRead.model_fields) - {"model", "wait_seconds", "duration_seconds"}
    now = datetime.now(UTC)
    started, ended = task.started_at, task.completed_at
    waited_until = started or ended or now
    return {name: getattr(task, name) for name in names} | {
        "model": task.config.get("model"),
        "wait_seconds": max((waited_until - task.created_at).total_seconds(), 0.0),
        "duration_seconds": started and max(((ended or now) - started).total_seconds(), 0.0),
    }


def _phases(task: Task) -> Iterator[PhaseRead]:
    """The task's life from its first second on; between attempts it waits."""
    since: datetime | None = task.created_at
    for number, claimed_at, phases in read_timeline(task.timeline):
        if since is not None:
            yield _waiting(number, since, claimed_at)
        since = None
        for phase, offset, seconds in phases:
            started_at = claimed_at + timedelta(seconds=offset)
            yield PhaseRead(phase=phase, attempt=number, started_at=started_at, seconds=seconds)
            since = None if seconds is None else started_at + timedelta(seconds=seconds)
    if task.status is TaskStatus.PENDING:
        yield _waiting(task.attempt + 1, since or task.updated_at, None)


def _waiting(attempt: int, since: datetime, until: datetime | None) -> PhaseRead:
    seconds = None if until is None else max((until - since).total_seconds(), 0.0)
    return PhaseRead(phase="waiting", attempt=attempt, started_at=since, seconds=seconds)


async def read_stats(monitor: Monitor, window: timedelta, *, operator: bool) -> StatsRead:
    """Figures of the window; those of the database server are for operators."""
    found = await monitor.stats(window)
    return StatsRead(
        window_seconds=round(window.total_seconds()),
        types=[_type_stats(one, window) for one in found["types"]],
        failures=[FailureCountRead(**one) for one in found["failures"]],
        storage=StorageUseRead(**{name: found[name] for name in StorageUseRead.model_fields}),
        database=DatabaseUseRead(**await monitor.database()) if operator else None,
    )


def _type_stats(row: dict[str, Any], window: timedelta) -> TypeStatsRead:
    wait, run = (row.pop(name) or (None, None) for name in ("wait", "run"))
    return TypeStatsRead(
        **row,
        per_minute=row["completed"] / (window.total_seconds() / 60),
        wait_p50_seconds=wait[0],
        wait_p95_seconds=wait[1],
        run_p50_seconds=run[0],
        run_p95_seconds=run[1],
    )
