"""What the server needs of an engine. Free of torch, so that binding the deployment loads none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from configs.catalog import ModelEntry
from configs.settings import AttentionBackend
from deployments.contracts import Event, GenerationRequest

# Both are called with the position of a request in the batch.
Emit: TypeAlias = Callable[[int, Event], None]
ShouldStop: TypeAlias = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Pause:
    """What may run between two denoising steps of a call, which then stands still.

    Attributes:
        is_wanted: whether there is something; called after each step, in any thread.
        work: do it, in the thread of the call; it may call the engine, and raises nothing.
    """

    is_wanted: Callable[[], bool]
    work: Callable[[], None]


NO_PAUSE = Pause(lambda: False, lambda: None)


class Engine(Protocol):
    """One loaded model."""

    def run(
        self,
        requests: Sequence[GenerationRequest],
        emit: Emit,
        should_stop: ShouldStop,
        pause: Pause = NO_PAUSE,
    ) -> None:
        """Make the pictures of compatible requests; see ``GenerationEngine.run``."""


class EngineFactory(Protocol):
    """Loads the engine of a catalog entry: a class, as ``GenerationEngine`` is."""

    def __call__(self, entry: ModelEntry, *, device: str, attention: AttentionBackend) -> Engine:
        """Load it; raises ``ModelUnavailable``."""
