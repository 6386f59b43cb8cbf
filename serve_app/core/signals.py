"""What running tasks signal to those who watch them: progress and previews.

Signals are not events. They are in no log, nobody is promised to get all of them, and a newer one
replaces an older one (decision 11).
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Signal(BaseModel):
    """One notification on ``db.listen.SIGNALS_CHANNEL``, as JSON.

    Attributes:
        task_id: that it is about.
        event: what kind of signal.
        data: as clients get it; of a preview with the ``index`` of its image.
    """

    model_config = ConfigDict(frozen=True)

    task_id: str
    event: Literal["progress", "preview"]
    data: dict[str, Any]


class Latest:
    """The newest signals of a task that a reader has not taken yet: one of progress, and one
    preview of each image, however slowly it reads.

    Args:
        changed: set when there is something to take.
    """

    def __init__(self, changed: asyncio.Event) -> None:
        self._changed = changed
        self._waiting: dict[tuple[str, Any], Signal] = {}

    def put(self, signal: Signal) -> None:
        """A new signal."""
        self._waiting[signal.event, signal.data.get("index")] = signal
        self._changed.set()

    def take(self) -> list[Signal]:
        """What has come since the last time."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken
