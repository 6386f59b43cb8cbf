"""What is told about a training while it runs and when it has ended."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from db.models import Adapter, Product, Subject, TrainingStep
from db.repositories.scope import OrganizationScope
from db.repositories.trainings import TrainingRepository, TrainingState
from db.session import ReadSession
from serve_app.core.dependencies import Sign

Status = Literal["pending", "running", "completed", "failed", "cancelled"]


class TrainingMetrics(BaseModel):
    """How far a training is, and how it goes."""

    current_epoch: int = Field(description="From 1.")
    total_epochs: int
    current_step: int = Field(description="The last one done.")
    total_steps: int
    loss: float | None = Field(description="Of that step; null before the first.")
    learning_rate: float | None
    images_per_second: float | None
    eta_seconds: float | None = Field(description="Until the last step is done.")

    @classmethod
    def of(cls, state: TrainingState) -> Self | None:
        """Those of a training that has got as far as its first step."""
        facts, step = state.training.facts, state.step
        if "steps" not in facts:
            return None
        figures = {name: getattr(step, name, None) for name in _FIGURES}
        return cls(
            current_epoch=_epoch(step, state.training.step or 0, facts),
            total_epochs=facts["epochs"],
            current_step=state.training.step or 0,
            total_steps=facts["steps"],
            **figures,
        )


_FIGURES = ("loss", "learning_rate", "images_per_second", "eta_seconds")


def _epoch(step: TrainingStep | None, done: int, facts: dict[str, Any]) -> int:
    if step is not None:
        return step.epoch
    # An attempt that resumes where the last figures were lost.
    epochs, steps = int(facts["epochs"]), int(facts["steps"])
    return min(epochs, done * epochs // steps + 1)


class TrainedLora(BaseModel):
    """The adapter that a training made."""

    id: UUID
    name: str
    version: int = Field(description="Of this name, from 1. A request may name `name@version`.")
    url: str = Field(
        description="Of `pytorch_lora_weights.safetensors`; fetchable until it expires."
    )
    size: int = Field(description="Bytes.")
    sha256: str
    rank: int
    trigger_word: str | None

    @classmethod
    async def of(cls, adapter: Adapter, sign: Sign) -> Self:
        """Render an adapter."""
        return cls(
            id=adapter.id,
            name=adapter.name,
            version=adapter.version,
            url=await sign(adapter.path),
            size=adapter.size,
            sha256=adapter.sha256,
            rank=adapter.rank,
            trigger_word=adapter.trigger_word,
        )


class TrainingProgress(BaseModel):
    """The last training of a subject or a product."""

    id: str = Field(description="For the Compute API's `GET /training/{id}`.")
    status: Status
    progress: float = Field(description="0 to 1.")
    phase: str | None = Field(
        description="What the run is at: start, load, encode, prior, train; null while it waits."
    )
    base_model: str
    output_name: str = Field(description="Of the adapter that it makes.")
    trigger_word: str | None
    metrics: TrainingMetrics | None = Field(description="Null before the first step.")
    lora: TrainedLora | None = Field(description="When it is completed.")
    error: str | None = Field(description="Why it failed.")
    error_code: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @classmethod
    async def of(cls, state: TrainingState, sign: Sign) -> Self:
        """Render a training."""
        task, training, adapter = state.task, state.training, state.adapter
        return cls(
            id=task.id,
            status=task.status.value,
            progress=round(task.progress, 4),
            phase=phase_of(state),
            base_model=training.base_model,
            output_name=training.output_name,
            trigger_word=training.trigger_word,
            metrics=TrainingMetrics.of(state),
            lora=None if adapter is None else await TrainedLora.of(adapter, sign),
            error=task.error,
            error_code=task.error_code,
            created_at=task.created_at,
            started_at=task.started_at,
            completed_at=task.completed_at,
        )


async def read_trainings(
    session: ReadSession, scope: OrganizationScope, rows: Iterable[Subject | Product], sign: Sign
) -> dict[str, TrainingProgress]:
    """The last trainings of some rows by their ids; where none was trained, nothing is asked."""
    ids = [row.training_id for row in rows if row.training_id is not None]
    states = await TrainingRepository(session, scope).get_many(ids)
    return {name: await TrainingProgress.of(state, sign) for name, state in states.items()}


def version_of(trainings: Mapping[str, TrainingProgress]) -> str:
    """What changes in an answer as a training goes on, for its ETag."""
    shown = [one.model_dump_json(exclude={"lora"}) for one in trainings.values()]
    return hashlib.blake2b("".join(shown).encode(), digest_size=6).hexdigest() if shown else ""


def phase_of(state: TrainingState) -> str | None:
    """What a running training is at."""
    return state.training.phase if state.task.status.value == "running" else None
