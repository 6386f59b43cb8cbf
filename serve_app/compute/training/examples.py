"""What a training learns from: the pictures of a dataset, or of the studio, each with a caption."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from db.models import EntityType
from serve_app.core.datasets import DatasetPicture, read_dataset
from serve_app.core.resources import Resources
from serve_app.core.storage.base import ObjectNotFound
from serve_app.core.training.orders import noun
from training.contracts import InvalidTraining, TrainingExample

# Of a file name, what says nothing about the picture.
_NO_WORDS = re.compile(r"[\W_\d]+")


async def read_examples(
    resources: Resources, config: Mapping[str, Any]
) -> tuple[TrainingExample, ...]:
    """The examples of a task's config, by the name of their file.

    Raises:
        InvalidTraining: something that it names is not in storage any more.
        UnusableDataset: the archive is not what it was.
    """
    try:
        if (dataset := config.get("dataset")) is not None:
            return await _of_archive(resources, dataset["path"], config)
        return await _of_studio(resources, config["pictures"])
    except ObjectNotFound as error:
        raise InvalidTraining(f"the pictures are not in storage any more: {error}") from error


async def _of_archive(
    resources: Resources, path: str, config: Mapping[str, Any]
) -> tuple[TrainingExample, ...]:
    settings = resources.settings
    with tempfile.TemporaryFile() as file:
        async for chunk in resources.store.stream(path):
            await asyncio.to_thread(file.write, chunk)
        dataset = await asyncio.to_thread(
            read_dataset, file, settings.datasets, settings.media, keep_files=True
        )
    entity_type = EntityType(config["entity_type"])
    return tuple(
        TrainingExample(one.name, one.data, caption_of(one, config["captioning"], entity_type))
        for one in dataset.pictures
    )


async def _of_studio(
    resources: Resources, pictures: Sequence[Mapping[str, str]]
) -> tuple[TrainingExample, ...]:
    return tuple(
        [
            TrainingExample(
                PurePosixPath(one["path"]).parent.name,
                await resources.store.get(one["path"]),
                one["caption"],
            )
            for one in pictures
        ]
    )


def caption_of(picture: DatasetPicture, captioning: str, entity_type: EntityType) -> str:
    """What a picture is said to show; the trainer adds the trigger word.

    Args:
        picture: of an archive.
        captioning: ``captions``, ``filename`` or ``none``, see `TrainingConfig`.
        entity_type: what all pictures have in common.
    """
    caption = picture.caption if captioning != "none" else None
    if caption is None and captioning == "filename":
        caption = _NO_WORDS.sub(" ", PurePosixPath(picture.name).stem).strip()
    return caption or noun(entity_type)
