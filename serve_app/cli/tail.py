"""`sartiq tail`: the event log as it grows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from serve_app.cli.console import console, errors
from serve_app.cli.pictures import ApiKey, BaseUrl, connect
from serve_app.client import Event

# By the last word of a kind.
_STYLES = {
    "completed": "green",
    "approved": "green",
    "failed": "bold red",
    "rejected": "red",
    "disabled": "red",
    "cancelled": "yellow",
    "retrying": "yellow",
    "running": "cyan",
    "progress": "dim",
    "preview": "dim",
}
# What the kind says already, or what is not for the eye.
_LEFT_OUT = {"status", "url"}


def tail(
    *,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="Begin after this event, 0: at the beginning. Unset: from now."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Only such events: task.completed, task.*; may be repeated."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Only what happens to this task, with its progress, until it ends."),
    ] = None,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Follow the event log until Ctrl-C; a lost connection is taken up where it broke."""
    with connect(base_url, api_key) as client:
        breaks = _Breaks()
        events = client.follow(after=after, kinds=kind or (), task_id=task, on_break=breaks.say)
        try:
            for event in events:
                breaks.said = None
                console.print(line(event), soft_wrap=True)
        except KeyboardInterrupt:
            return


def line(event: Event) -> Text:
    """An event in one line: when, which, what, to whom."""
    at = (event.created_at or datetime.now(UTC)).astimezone()
    text = Text(f"{at:%H:%M:%S}.{at.microsecond // 1000:03} ", style="dim")
    text.append(f"{'' if event.seq is None else event.seq:>7} ", style="dim")
    text.append(f"{event.kind:<24} ", style=_STYLES.get(event.kind.rpartition(".")[2], "bold"))
    text.append(event.subject_id, style="default")
    for name, value in event.data.items():
        if name not in _LEFT_OUT:
            text.append(f"  {name}=", style="dim")
            text.append(_shown(value), style="default")
    return text


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    text = str(value)
    # It comes from elsewhere, and shall not steer the terminal.
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]


class _Breaks:
    """Says why there is no connection, once for as long as it is so."""

    said: str | None = None

    def say(self, reason: str) -> None:
        if reason != self.said:
            self.said = reason
            errors.print(
                f"[yellow]no connection ({_shown(reason)}); trying again[/]", soft_wrap=True
            )
