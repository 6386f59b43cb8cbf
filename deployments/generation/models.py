"""The models that a replica has in memory."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable

from configs.catalog import ModelEntry
from deployments.generation.contracts import Engine


class LoadedModels:
    """Engines by model name, at most ``capacity`` of them; the least recently used one goes first.

    Args:
        build: loads the engine of an entry.
        capacity: models in memory at once.
    """

    def __init__(self, build: Callable[[ModelEntry], Engine], capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a replica holds at least one model")
        self._build = build
        self._capacity = capacity
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self.loading: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Models in memory, the least recently used first."""
        return tuple(self._engines)

    def get(self, entry: ModelEntry) -> Engine:
        """The engine of an entry, loaded if need be.

        Raises:
            ModelUnavailable: its weights are missing, or this machine cannot run them.
        """
        if entry.name not in self._engines:
            # Before the load and not after it: two large models may not fit side by side.
            while len(self._engines) >= self._capacity:
                self._engines.popitem(last=False)
                gc.collect()
            self.loading = entry.name
            try:
                self._engines[entry.name] = self._build(entry)
            finally:
                self.loading = None
        self._engines.move_to_end(entry.name)
        return self._engines[entry.name]
