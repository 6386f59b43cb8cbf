"""A progress bar over training steps."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from tqdm import tqdm

from training.pretraining.parallel import rank


class Steps:
    """Iterates the steps that are left, with a bar that shows the latest figures."""

    def __init__(self, name: str, start: int, stop: int) -> None:
        self._range = range(start, stop)
        self._bar = tqdm(total=stop, initial=start, desc=name, mininterval=2.0, disable=rank() > 0)

    def __enter__(self) -> Steps:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def __iter__(self) -> Iterator[int]:
        for step in self._range:
            yield step
            self._bar.update()

    def show(self, **figures: float) -> None:
        """Show figures beside the bar."""
        self._bar.set_postfix(
            {name: f"{value:.3g}" for name, value in figures.items()}, refresh=False
        )
