"""A task on the terminal: submitted, watched on a bar, cancelled by Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from serve_app.cli.console import console
from serve_app.client import ClientError, ComputeClient, Task, Training

WaitedT = TypeVar("WaitedT", Task, Training)


@contextmanager
def bars() -> Iterator[Progress]:
    """A live area for one progress bar per step."""
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(bar_width=32),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[state]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield progress


def watch(
    client: ComputeClient,
    task: WaitedT,
    progress: Progress,
    label: str,
    describe: Callable[[WaitedT], str] = lambda task: task.status,
) -> WaitedT:
    """Wait for a task on a bar of its own. Ctrl-C cancels the task.

    Args:
        client: of the platform that works on it.
        task: or a training.
        progress: where the bar is drawn.
        label: before the bar.
        describe: what stands behind it.

    Raises:
        TaskFailed: the task failed.
        TaskCancelled: somebody cancelled it.
    """
    bar = progress.add_task(label, total=1.0, state=describe(task))

    def show(current: WaitedT) -> None:
        progress.update(bar, completed=current.progress, state=describe(current))

    try:
        done = client.wait(task, on_change=show)
    except KeyboardInterrupt:
        progress.update(bar, state="cancelling")
        # A platform that is gone cannot be told, and has nothing left to cancel.
        with suppress(ClientError):
            client.cancel(task.id)
        progress.update(bar, state="cancelled")
        raise
    progress.update(bar, completed=1.0, state="")
    return done
