"""What the API answers about tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.estimates.reading import EtaRead

TaskType = Literal["generation", "processing", "training", "llm"]
Status = Literal["pending", "running", "completed", "failed", "cancelled"]


class OutputImage(BaseModel):
    """One picture that a task made."""

    url: str = Field(description="Fetchable without a header until it expires.")
    width: int
    height: int
    seed: int | None = Field(description="What the image was made from; null where none was used.")
    content_type: str
    size: int = Field(description="Bytes.")
    sha256: str


class TaskOutput(BaseModel):
    """What a completed task made."""

    images: list[OutputImage]
    scores: list[dict[str, float]] | None = Field(
        None, description="Of an evaluation: what each picture scored, 0 to 1."
    )
    text: str | None = Field(None, description="Of a question: the answer, if it is text.")
    answer: dict[str, Any] | None = Field(
        None, description="Of a question: the answer, checked against its schema."
    )
    usage: dict[str, int] | None = Field(None, description="Of a question: tokens.")
    cost_usd: float | None = Field(None, description="What the provider asks for it.")


class TaskRead(BaseModel):
    """A task, as it stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "task_06f3k2m8q7v5t1xz0c9hjnpa4r",
                    "type": "generation",
                    "status": "running",
                    "progress": 0.65,
                    "priority": 0,
                    "attempt": 1,
                    "output": None,
                    "error": None,
                    "error_code": None,
                    "created_at": "2026-01-15T10:30:00Z",
                    "started_at": "2026-01-15T10:30:05Z",
                    "completed_at": None,
                    "queue_position": None,
                    "eta": None,
                }
            ]
        }
    )

    id: str
    type: str
    status: Status
    progress: float = Field(description="0 to 1.")
    priority: int
    attempt: int = Field(description="How often the task was started.")
    output: TaskOutput | None
    error: str | None = Field(description="Why the task failed.")
    error_code: str | None = Field(description="Machine-readable kind of the error.")
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    queue_position: int | None = Field(
        description="Of a pending task its place in its queue, 1 being the next to start. Null in "
        "the answer that queues it: ask for the task."
    )
    eta: EtaRead | None = Field(
        description="Of a pending task, when it will be completed; null while no such task was "
        "measured here."
    )


class TaskList(BaseModel):
    """One page of tasks."""

    items: list[TaskRead]
    total: int
    page: int
    size: int


class FailedAttempt(BaseModel):
    """Why an earlier attempt of a task ended without a result."""

    attempt: int
    at: datetime
    code: str
    reason: str


class GenerationRead(TaskRead):
    """A generation task with everything it was asked for."""

    config: dict[str, Any] = Field(description="The request, with the model's defaults filled in.")
    failures: list[FailedAttempt] = Field(description="Attempts that ended without a result.")
