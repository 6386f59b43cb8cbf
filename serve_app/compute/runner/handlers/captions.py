"""Captions of pictures to train from, by a language model, before the training begins.

Each is a call of the training's own task, so one that was answered is not asked for again when the
next attempt goes on. A training does not fail for want of captions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from db.models import EntityType
from serve_app.compute.runner.handlers.base import Work
from serve_app.compute.runner.handlers.text import ask
from serve_app.core.images import inspect_image
from serve_app.core.providers.base import Picture
from serve_app.core.providers.errors import HostedError
from serve_app.core.training.orders import noun
from training.contracts import TrainingExample

logger = logging.getLogger(__name__)

_AT_ONCE = 4
_TRIES = 3
_LONGEST_PAUSE = 30.0


async def captioned(work: Work, examples: Sequence[TrainingExample]) -> tuple[TrainingExample, ...]:
    """The examples, with captions where the task wants them from a language model: for pictures of
    the studio, and for those of an archive that have none of their own."""
    config = work.task.config
    if "captioner" not in config:
        return tuple(examples)
    work.timeline.enter("caption")
    nothing = noun(EntityType(config["entity_type"])) if "dataset" in config else None
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, example: TrainingExample) -> TrainingExample:
        if nothing is not None and example.caption != nothing:
            return example
        async with gate:
            # The first call of a task may be the training itself.
            caption = await _caption(work, example, part=number + 1)
        return example if caption is None else replace(example, caption=caption)

    return tuple(await asyncio.gather(*(one(*numbered) for numbered in enumerate(examples))))


async def _caption(work: Work, example: TrainingExample, *, part: int) -> str | None:
    asked = work.task.config["captioner"]

    async def show() -> tuple[Picture, ...]:
        info = await asyncio.to_thread(inspect_image, example.image)
        return (Picture(example.image, info.content_type),)

    for tried in range(1, _TRIES + 1):
        try:
            told = await ask(work, asked, show, provider=asked["provider"], part=part)
        except HostedError as error:
            if not error.retryable or tried == _TRIES:
                logger.warning("%s: %s has no caption: %s", work.task.id, example.name, error)
                return None
            await asyncio.sleep(min(error.retry_after or float(tried), _LONGEST_PAUSE))
        else:
            assert told.answer is not None
            return str(told.answer["caption"])
    return None
