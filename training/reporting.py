"""What a run says of itself, and how long each of its phases took."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from training import team
from training.contracts import Emit, Event, Preparing

_ALIVE_SECONDS = 5.0


class Reporter:
    """Sends events of the first process of the team; the others are silent.

    Args:
        emit: takes the events.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._said_at = 0.0
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def __call__(self, event: Event) -> None:
        """Send an event."""
        if team.rank() == 0:
            self._said_at = time.monotonic()
            self._emit(event)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to a phase."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began

    @contextmanager
    def preparing(self, phase: str) -> Iterator[None]:
        """The same, and say that it begins."""
        self(Preparing(phase))
        with self.phase(phase):
            yield

    def alive(self, phase: str) -> None:
        """Say a phase again when it takes long: silence counts as a hang."""
        if time.monotonic() - self._said_at > _ALIVE_SECONDS:
            self(Preparing(phase))
