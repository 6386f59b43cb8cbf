"""What the API answers about queues, workers and tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve_app.compute.tasks.schemas import FailedAttempt, Status
from serve_app.core.schemas import ListOf

WorkflowStatus = Literal["created", "running", "paused", "completed", "failed", "cancelled"]
WorkerStatus = Literal["idle", "busy", "loading", "unhealthy"]


class QueueRead(BaseModel):
    """One queue."""

    name: str
    pending: int = Field(description="Tasks that wait.")
    running: int = Field(description="Tasks that run.")
    workers: int = Field(description="Replicas that serve it.")
    delayed: int = Field(description="Of those that wait, the ones that are to be tried later.")
    oldest_wait_seconds: float | None = Field(
        description="How long the first task has waited that could start now."
    )


class QueuesRead(BaseModel):
    """All queues; the tasks in them are those that you may see."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "queues": [
                        {
                            "name": "generation",
                            "pending": 12,
                            "running": 8,
                            "workers": 10,
                            "delayed": 0,
                            "oldest_wait_seconds": 3.2,
                        }
                    ]
                }
            ]
        }
    )

    queues: list[QueueRead]


class ProviderRead(BaseModel):
    """A hosted provider that this installation has a key of."""

    name: str = Field(description="Also of its queue.", examples=["claude"])
    circuit: Literal["closed", "open", "half_open"] = Field(
        description="`closed`: calls go through. `open`: it has failed too often, and nothing is "
        "sent until `open_until`. `half_open`: the next call decides."
    )
    failures: int = Field(description="In a row.")
    open_until: datetime | None
    reason: str | None = Field(description="Of the last failure; for operators.")


class ProvidersRead(BaseModel):
    """All hosted providers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "providers": [
                        {
                            "name": "claude",
                            "circuit": "open",
                            "failures": 5,
                            "open_until": "2026-01-15T10:30:30Z",
                            "reason": "hosted_unavailable: claude is not available: Overloaded",
                        }
                    ]
                }
            ]
        }
    )

    providers: list[ProviderRead]


class WorkerRead(BaseModel):
    """One replica that does work, as it last reported."""

    id: str
    deployment: str
    queues: list[str] = Field(description="That it serves.")
    status: WorkerStatus
    problem: str | None = Field(description="Why it is not healthy.")
    node: str = Field(description="Of the cluster, that it runs on.")
    host: str | None = Field(description="Of that node; for operators.")
    pid: int | None = Field(description="Of its process; for operators.")
    started_at: datetime
    last_heartbeat: datetime
    tasks: list[str] = Field(description="Of yours, those that it works on or that wait in it.")
    models: list[str] = Field(description="In memory.")
    loading: str | None = Field(description="The model that it reads at the moment.")
    loras: list[str] = Field(description="Of yours, those in memory, as `name@version`.")
    cpu: float = Field(description="Processors that it keeps busy.")
    memory_bytes: int
    gpu_utilization: float | None = Field(description="0 to 1; null without a GPU.")
    gpu_memory_bytes: int | None


class WorkerList(ListOf[WorkerRead]):
    """One page of workers."""


class WorkerHealthRead(BaseModel):
    """One worker in short."""

    id: str
    status: WorkerStatus
    gpu_utilization: float | None = Field(description="0 to 1; null without a GPU.")
    last_heartbeat: datetime
    deployment: str
    problem: str | None


class WorkersHealthRead(BaseModel):
    """How the workers are, all together and each."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "healthy": 14,
                    "unhealthy": 1,
                    "total": 15,
                    "workers": [
                        {
                            "id": "k3v9x2qa",
                            "status": "busy",
                            "gpu_utilization": 0.85,
                            "last_heartbeat": "2026-01-15T10:30:00Z",
                            "deployment": "Generation",
                            "problem": None,
                        }
                    ],
                }
            ]
        }
    )

    healthy: int
    unhealthy: int
    total: int
    workers: list[WorkerHealthRead]


class MonitoredTaskRead(BaseModel):
    """A task without its output."""

    id: str
    organization_id: UUID
    type: str
    queue: str
    status: Status
    model: str | None
    progress: float = Field(description="0 to 1.")
    priority: int
    attempt: int = Field(description="How often the task was started.")
    error: str | None
    error_code: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    wait_seconds: float = Field(description="Until it was started first, or until now.")
    duration_seconds: float | None = Field(description="From then to its end, or until now.")


class MonitoredTaskList(ListOf[MonitoredTaskRead]):
    """One page of tasks."""


class PhaseRead(BaseModel):
    """What happened to a task for a while."""

    phase: str = Field(
        description="`waiting`: for a worker; `fetch`: inputs; `batch`: for the model's next call; "
        "then the parts of the work, such as `encode`, `denoise`, `decode`; `store`: results.",
        examples=["denoise"],
    )
    attempt: int
    started_at: datetime
    seconds: float | None = Field(description="Null while it lasts.")


class MonitoredTaskDetailRead(MonitoredTaskRead):
    """A task, and what happened to it when."""

    config: dict[str, Any] = Field(description="The request, with what it left open filled in.")
    failures: list[FailedAttempt] = Field(description="Attempts that ended without a result.")
    request_id: str | None = Field(description="Of the request that it was queued by.")
    runner: str | None = Field(description="That it was claimed by last.")
    worker: str | None = Field(description="That works on it now.")
    timeline: list[PhaseRead]


class TypeStatsRead(BaseModel):
    """Tasks of one type that ended within the window."""

    type: str
    completed: int
    failed: int
    cancelled: int
    units: float = Field(description="Units of work that were completed: images, for generations.")
    failed_attempts: int
    per_minute: float = Field(description="Completed tasks.")
    wait_p50_seconds: float | None
    wait_p95_seconds: float | None
    run_p50_seconds: float | None
    run_p95_seconds: float | None


class FailureCountRead(BaseModel):
    """How many tasks of a type failed by one cause."""

    code: str
    type: str
    count: int


class StorageUseRead(BaseModel):
    """Bytes in storage."""

    media_bytes: int = Field(description="Pictures of the studio.")
    lora_bytes: int
    output_bytes: int = Field(description="Images of tasks that ended within the window.")


class DatabaseUseRead(BaseModel):
    """How full the database server is."""

    bytes: int
    connections: int
    max_connections: int


class StatsRead(BaseModel):
    """Figures of what ended within a window of time."""

    window_seconds: int
    types: list[TypeStatsRead]
    failures: list[FailureCountRead]
    storage: StorageUseRead
    database: DatabaseUseRead | None = Field(description="For operators.")


class MonitoredWorkflowRead(BaseModel):
    """A workflow at a glance."""

    id: str
    organization_id: UUID
    name: str
    status: WorkflowStatus
    steps: int
    steps_done: int
    active_steps: list[str] = Field(description="Those at work, or waiting for a person.")
    failed_steps: list[str]
    error: str | None
    error_code: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: float | None = Field(description="From its start to its end, or until now.")


class MonitoredWorkflowList(ListOf[MonitoredWorkflowRead]):
    """One page of workflows."""


class StepStatsRead(BaseModel):
    """Steps of one type that ended within the window."""

    type: str
    completed: int
    failed: int
    reused: int = Field(description="Whose output an earlier workflow had made.")
    run_p50_seconds: float | None
    run_p95_seconds: float | None


class WorkflowStatsRead(BaseModel):
    """Workflows by state now, and figures of those that ended within a window of time."""

    window_seconds: int
    states: dict[WorkflowStatus, int]
    completed: int
    failed: int
    cancelled: int
    run_p50_seconds: float | None
    run_p95_seconds: float | None
    steps: list[StepStatsRead]
