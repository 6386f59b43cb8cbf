"""Small pictures of what is being made, for whoever watches a task (decision 11)."""

from __future__ import annotations

import asyncio
import base64
from io import BytesIO

from PIL import Image

from db.repositories.queue import TaskQueue
from db.session import Database
from deployments.contracts import Pixels
from serve_app.core.signals import Signal

# A notification of Postgres has fewer than 8000 bytes, and base64 makes four bytes of three.
_MAX_BYTES = 5_500
# How much smaller, and how well encoded; early steps are noise, which nothing compresses.
_TRIES = ((1, 60), (1, 30), (2, 30), (4, 30))


class Previews:
    """Previews that wait to be sent, the newest of each image."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[tuple[str, int], Pixels] = {}

    def show(self, task_id: str, index: int, pixels: Pixels) -> None:
        """Note how image ``index`` of a task looks; :meth:`flush` sends it."""
        self._waiting[task_id, index] = pixels

    async def flush(self) -> None:
        """Send what has come since the last time."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        signals = await asyncio.to_thread(_signals, waiting)
        async with self._database.write() as session:
            await TaskQueue(session).signal(signals)


def _signals(waiting: dict[tuple[str, int], Pixels]) -> list[str]:
    found = []
    for (task_id, index), pixels in waiting.items():
        if (picture := encode_preview(pixels)) is not None:
            url = f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
            signal = Signal(task_id=task_id, event="preview", data={"index": index, "url": url})
            found.append(signal.model_dump_json())
    return found


def encode_preview(pixels: Pixels) -> bytes | None:
    """The picture as WebP, as good as fits into a notification; None: it does not fit at all."""
    image = Image.fromarray(pixels)
    for divisor, quality in _TRIES:
        file = BytesIO()
        image.reduce(divisor).save(file, format="webp", quality=quality, method=2)
        if file.tell() <= _MAX_BYTES:
            return file.getvalue()
    return None
