"""Tables that are drawn once, or again and again until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from serve_app.cli.console import console
from serve_app.client import ClientError

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Again and again, until Ctrl-C.")]
_PERIOD_SECONDS = 1.0

COLOURS = {
    "pending": "yellow",
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "cancelled": "dim",
    "idle": "green",
    "busy": "cyan",
    "loading": "yellow",
    "unhealthy": "bold red",
}


def show(draw: Callable[[], RenderableType], *, watch: bool) -> None:
    """Draw once, or until Ctrl-C; then a platform that is away for a while is waited for.

    Raises:
        ClientError: the platform refuses, or it is away at the first time.
    """
    drawn = draw()
    if not watch:
        console.print(drawn)
        return
    with Live(drawn, console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            time.sleep(_PERIOD_SECONDS)
            try:
                drawn = draw()
                live.update(drawn, refresh=True)
            except ClientError as error:
                if not error.transient:
                    raise
                live.update(Group(Text(str(error), style="red"), drawn), refresh=True)


def table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table; columns of ``right`` hold numbers."""
    empty = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        if heading in right:
            empty.add_column(heading, justify="right", no_wrap=True)
        else:
            empty.add_column(heading, overflow="ellipsis", no_wrap=True)
    return empty


def coloured(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=COLOURS.get(status, ""))


def seconds(value: float | None) -> str:
    """As people read it; empty for None."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
