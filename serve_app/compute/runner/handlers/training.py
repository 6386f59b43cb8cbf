"""Tasks of type ``training``."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any, TypeAlias

from db.repositories.queue import ClaimedTask
from serve_app.compute.runner.handlers.base import Work, with_timeout
from serve_app.compute.runner.handlers.captions import captioned
from serve_app.compute.training.examples import read_examples
from serve_app.compute.training.records import Records
from serve_app.core.adapters import FILE_NAME
from training.contracts import (
    Checkpoint,
    Event,
    Finished,
    Metrics,
    Preparing,
    Sample,
    Started,
    TrainingConfig,
    TrainingError,
    TrainingOutOfMemory,
    TrainingRequest,
    UnusableCheckpoint,
    Validation,
)

logger = logging.getLogger(__name__)

# A run: a request in, a stream of events out; closing the stream ends the run.
Trainer: TypeAlias = Callable[[TrainingRequest], AsyncGenerator[Event, None]]

# Until the weights are stored it is not done.
_ALMOST = 0.999


class DeviceTooSmall(TrainingOutOfMemory):
    """Not even one picture at a time fits into the device's memory."""

    retryable = False


class TrainingHandler:
    """Follows a run, and stores what it sends. The next attempt resumes from what is stored."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Train, store the weights; see `Handler.run`."""
        config = settings_of(work.task)
        work.timeline.enter("fetch")
        request = TrainingRequest(
            request_id=work.task.id,
            model=work.task.config["model"],
            output_name=work.task.config["output_name"],
            config=config,
            examples=await captioned(work, await read_examples(work.resources, work.task.config)),
        )
        try:
            finished = await _resume(work, request)
        except TrainingOutOfMemory as error:
            if config.accumulation < config.batch_size:
                raise
            reason = f"{error}: use a smaller resolution or rank, or a larger device"
            raise DeviceTooSmall(reason) from error
        return await _deliver(work, finished)


def settings_of(task: ClaimedTask) -> TrainingConfig:
    """How an attempt trains. After the device ran out of memory, half of a batch at a time."""
    # Epochs have become steps when the training was queued.
    settings = {k: v for k, v in task.config["settings"].items() if k != "epochs"}
    failures = sum(1 for past in task.failures if past["code"] == TrainingOutOfMemory.code)
    batch_size = settings["batch_size"]
    return TrainingConfig(
        **{
            **settings,
            "entity_type": task.config["entity_type"],
            "sample_prompts": tuple(settings["sample_prompts"]),
            "accumulation": min(batch_size, settings["accumulation"] * 2**failures),
        }
    )


async def _resume(work: Work, request: TrainingRequest) -> Finished:
    """Run from the newest checkpoint that is of use, or from the beginning."""
    records = Records(work.resources, work.task)
    async with aclosing(records.checkpoints()) as checkpoints:
        async for checkpoint in checkpoints:
            try:
                return await _follow(work, records, replace(request, checkpoint=checkpoint.data))
            except UnusableCheckpoint as error:
                logger.warning("%s, step %s: %s", work.task.id, checkpoint.step, error)
                await records.drop(checkpoint.step)
    return await _follow(work, records, request)


async def _follow(work: Work, records: Records, request: TrainingRequest) -> Finished:
    """Store what a run sends, to its end."""
    trainer: Trainer = work.handle
    stall = work.resources.settings.training.stall_seconds
    steps = request.config.steps
    async with aclosing(trainer(request)) as run:
        async for event in with_timeout(run, stall):
            match event:
                case Preparing():
                    work.timeline.enter(event.phase)
                    await records.note(phase=event.phase)
                case Started():
                    work.timeline.enter("train")
                    await records.note(
                        phase="train", step=event.step, facts=_facts(event, request.config)
                    )
                    work.report(event.step / steps)
                case Metrics():
                    await records.steps(event.steps)
                    work.report(min(event.steps[-1].step / steps, _ALMOST))
                case Sample():
                    await records.sample(event)
                case Validation():
                    await records.validation(event)
                case Checkpoint():
                    await records.checkpoint(event)
                case Finished():
                    return event
    raise TrainingError("the run ended without a result")


def _facts(started: Started, config: TrainingConfig) -> dict[str, Any]:
    return {
        "steps": started.steps,
        "epochs": started.epochs,
        "images": started.images,
        "validation_images": started.validation_images,
        "buckets": dict(started.buckets),
        "batch_size": config.batch_size,
        "accumulation": config.accumulation,
    }


async def _deliver(work: Work, finished: Finished) -> dict[str, Any]:
    """Store the weights; the task's output, from which its adapter is made when it is settled."""
    work.timeline.enter("store")
    digest = await asyncio.to_thread(lambda: hashlib.sha256(finished.weights).hexdigest())
    stored = await work.resources.store.put(
        f"{work.loras_folder}/{work.task.attempt}-{FILE_NAME}", finished.weights
    )
    lora = {
        "path": stored.path,
        "size": stored.size,
        "sha256": digest,
        "metadata": dict(finished.metadata),
    }
    return {
        "images": [],
        "lora": lora,
        "best": asdict(finished.best),
        "last": asdict(finished.last),
        "seconds": dict(finished.seconds),
    }
