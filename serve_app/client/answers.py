"""What the client reads of the platform's answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
ENDS: Final = frozenset({"completed", "failed", "cancelled"})


class Answer(BaseModel):
    """What the client reads of an answer; the API may add fields at any time."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredImage(Answer):
    """A picture in the platform's storage. ``url`` needs no header; ``size`` is in bytes."""

    path: str
    url: str
    content_type: str
    size: int
    width: int
    height: int
    sha256: str


class OutputImage(Answer):
    """A picture that a task made; ``seed`` is None where none was used."""

    url: str
    width: int
    height: int
    seed: int | None = None


class TaskOutput(Answer):
    """What a completed task made."""

    images: tuple[OutputImage, ...]


class Task(Answer):
    """A task as it stands; ``progress`` is in [0, 1]."""

    id: str
    type: str
    status: Status
    progress: float = 0.0
    output: TaskOutput | None = None
    error: str | None = None

    @property
    def settled(self) -> bool:
        """Whether it has ended, in whichever way."""
        return self.status in ENDS

    @property
    def images(self) -> tuple[OutputImage, ...]:
        """The pictures of a completed task."""
        return self.output.images if self.output else ()


class StoredDataset(Answer):
    """An archive of pictures in the platform's storage; ``captions`` counts those that have one."""

    url: str
    images: int
    captions: int
    warnings: tuple[str, ...] = ()


class TrainingMetrics(Answer):
    """How far a training is, and how it goes."""

    current_epoch: int
    total_epochs: int
    current_step: int
    total_steps: int
    loss: float | None = None
    learning_rate: float | None = None
    images_per_second: float | None = None
    eta_seconds: float | None = None


class TrainedLora(Answer):
    """The adapter that a training made; a request may name it ``name@version``."""

    id: str
    name: str
    version: int
    url: str


class TrainingSample(Answer):
    """A picture that an adapter made after ``step`` of its training."""

    url: str
    step: int
    index: int
    prompt: str
    seed: int


class TrainingOutput(Answer):
    """What a training has reached."""

    samples: tuple[TrainingSample, ...] = ()
    phase: str | None = None
    metrics: TrainingMetrics | None = None
    lora: TrainedLora | None = None


class Training(Answer):
    """A training as it stands; ``progress`` is in [0, 1]."""

    id: str
    status: Status
    progress: float = 0.0
    output: TrainingOutput | None = None
    error: str | None = None

    @property
    def settled(self) -> bool:
        """Whether it has ended, in whichever way."""
        return self.status in ENDS

    @property
    def metrics(self) -> TrainingMetrics | None:
        """How it goes, from its first step on."""
        return self.output.metrics if self.output else None

    @property
    def lora(self) -> TrainedLora | None:
        """What a completed training made."""
        return self.output.lora if self.output else None


class Event(Answer):
    """A state change; or, without ``seq``, a signal of a running task, which is in no log."""

    seq: int | None = None
    kind: str
    subject_id: str
    data: dict[str, Any]
    created_at: datetime | None = None


class EventPage(Answer):
    """A part of the event log."""

    items: list[Event]
    next_after: int
    last_seq: int


class WorkflowStep(Answer):
    """A step as it stands; ``progress`` is in [0, 1]."""

    name: str
    type: str
    status: str
    progress: float = 0.0
    output: TaskOutput | None = None
    reused: bool = False
    error: str | None = None

    @property
    def images(self) -> tuple[OutputImage, ...]:
        """The pictures that it has made."""
        return self.output.images if self.output else ()


class Workflow(Answer):
    """A workflow as it stands; ``progress`` is in [0, 1], ``current_step`` an index of a step."""

    id: str
    name: str
    status: Literal["created", "running", "paused", "completed", "failed", "cancelled"]
    steps: tuple[WorkflowStep, ...]
    progress: float = 0.0
    current_step: int | None = None
    error: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself: it has ended, or waits for a person."""
        return self.status in ENDS | {"paused", "created"}

    @property
    def images(self) -> tuple[OutputImage, ...]:
        """The pictures of its last step."""
        return self.steps[-1].images


class WorkflowPage(Answer):
    """Workflows, the newest first."""

    items: tuple[Workflow, ...]
    total: int
