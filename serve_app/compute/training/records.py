"""What one attempt of a training leaves behind: objects first, then their rows, fenced."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeVar

from db.errors import is_transient
from db.models import TrainingCheckpoint
from db.repositories.queue import ClaimedTask
from db.repositories.training_log import TrainingLog, checkpoints_of
from serve_app.core.errors import SartiqError
from serve_app.core.images import encode_image
from serve_app.core.resources import Resources
from serve_app.core.storage.base import ObjectNotFound, StorageFull, StorageUnavailable
from training.contracts import Checkpoint, Sample, StepMetrics, Validation

logger = logging.getLogger(__name__)

T = TypeVar("T")

FOLDER: Final = "trainings"
# Besides the newest: should that one be damaged, less is lost.
_EARLIER_KEPT = 1
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
# How long a storage may be away before the attempt is given up; the next one resumes. A database
# that comes back is waited for: when it was away for too long, it says itself that the lease is
# lost.
_STORAGE_PATIENCE_SECONDS = 120.0


class LeaseLost(SartiqError):
    """The attempt was cancelled, or another one has taken over: it must leave nothing more."""

    code = "lease_lost"
    default_detail = "The attempt does not run any more"
    retryable = True


def folder_of(organization_hex: str, task_id: str) -> str:
    """Where a training's pictures and checkpoints are stored."""
    return f"{FOLDER}/{organization_hex}/{task_id}"


class Records:
    """Writes what an attempt reports.

    Names of objects hold the attempt, so that one whose lease was lost can neither replace nor
    remove what its successor stores.
    """

    def __init__(self, resources: Resources, task: ClaimedTask) -> None:
        self._database = resources.database
        self._store = resources.store
        self._task = task
        self._folder = folder_of(task.organization_id.hex, task.id)

    async def note(self, **values: Any) -> None:
        """Set ``phase``, ``step`` or ``facts`` of the training."""
        await self._write(lambda log: log.note(**values))

    async def steps(self, steps: Sequence[StepMetrics]) -> None:
        """Keep figures of steps; the last one is where the training is now."""

        async def write(log: TrainingLog) -> None:
            await log.add_steps([asdict(one) for one in steps])
            await log.note(step=steps[-1].step)

        if steps:
            await self._write(write)

    async def validation(self, validation: Validation) -> None:
        """Keep how good the adapter is."""
        await self._write(lambda log: log.add_validation(**asdict(validation)))

    async def sample(self, sample: Sample) -> None:
        """Store a picture."""
        facts = {"prompt": sample.prompt, "seed": sample.seed, "step": sample.step}
        recipe = {**facts, "training": self._task.id}
        data = await asyncio.to_thread(encode_image, sample.image, "jpeg", recipe)
        path = f"{self._folder}/samples/{self._task.attempt}-{sample.step}-{sample.index}.jpg"
        height, width = sample.image.shape[:2]
        row = {
            **facts,
            "index": sample.index,
            "path": path,
            "content_type": "image/jpeg",
            "width": width,
            "height": height,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        replaced = await self._keep(path, data, lambda log: log.add_sample(**row))
        await self._remove([replaced] if replaced else [])

    async def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint, and remove those that are not needed any more."""
        data = checkpoint.data
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        path = f"{self._folder}/checkpoints/{self._task.attempt}-{checkpoint.step}.ckpt"
        row = {"step": checkpoint.step, "path": path, "size": len(data), "sha256": digest}
        pruned = await self._keep(
            path, data, lambda log: log.add_checkpoint(keep=_EARLIER_KEPT, **row)
        )
        await self._remove(pruned)

    async def checkpoints(self) -> AsyncGenerator[Checkpoint, None]:
        """What earlier attempts left, the newest first; damaged ones are forgotten."""
        async with self._database.read() as session:
            rows = await checkpoints_of(session, self._task.id)
        for row in rows:
            if (data := await self._read(row)) is None:
                logger.warning("checkpoint %s of %s is damaged", row.path, self._task.id)
                await self.drop(row.step)
            else:
                yield Checkpoint(row.step, data)

    async def drop(self, step: int) -> None:
        """Forget a checkpoint that nothing can be done with."""
        await self._write(lambda log: log.drop_checkpoint(step))

    async def _read(self, row: TrainingCheckpoint) -> bytes | None:
        try:
            data = await self._patiently(lambda: self._store.get(row.path))
        except ObjectNotFound:
            return None
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        return data if digest == row.sha256 else None

    async def _keep(
        self, path: str, data: bytes, write: Callable[[TrainingLog], Awaitable[T]]
    ) -> T:
        """Store an object, then its row; without the row the object goes again."""
        await self._patiently(lambda: self._store.put(path, data))
        try:
            return await self._write(write)
        except LeaseLost:
            await self._remove([path])
            raise

    async def _write(self, write: Callable[[TrainingLog], Awaitable[T]]) -> T:
        """One transaction, as often as it takes.

        Raises:
            LeaseLost: as it says; nothing was written.
        """

        async def once() -> T:
            async with self._database.write() as session:
                log = TrainingLog(session, self._task.id, self._task.attempt)
                if not await log.hold():
                    raise LeaseLost
                return await write(log)

        return await self._patiently(once)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Try again while database or storage are away."""
        began, tries = time.monotonic(), 0
        while True:
            try:
                return await work()
            except StorageFull:
                raise
            except StorageUnavailable as error:
                if time.monotonic() - began > _STORAGE_PATIENCE_SECONDS:
                    raise
                logger.warning("%s waits for the storage: %s", self._task.id, error)
            except Exception as error:
                if not is_transient(error):
                    raise
                logger.warning("%s waits for the database: %s", self._task.id, error)
            await asyncio.sleep(_RETRY_SECONDS[min(tries, len(_RETRY_SECONDS) - 1)])
            tries += 1

    async def _remove(self, paths: Sequence[str]) -> None:
        """Remove objects; what is left goes when the training is closed."""
        for path in paths:
            try:
                await self._store.delete(path)
            except StorageUnavailable as error:
                logger.warning("%s was left in storage: %s", path, error)
