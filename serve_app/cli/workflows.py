"""`sartiq workflows`: how the workflows are, while they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from serve_app.cli.console import console
from serve_app.cli.pictures import ApiKey, BaseUrl, connect
from serve_app.client import ComputeClient, Workflow, WorkflowStep

app = typer.Typer(help="Workflows: a live table, and one of them with its steps.")

_SECONDS: Final = 0.5
_BAR: Final = 24
_WIDE: Final = 120
_COLOURS: Final = {
    "created": "dim",
    "pending": "dim",
    "running": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "dim",
}

Once = Annotated[bool, typer.Option("--once", help="Print it and end; so it is in a pipe.")]


@app.callback(invoke_without_command=True)
def workflows(
    context: typer.Context,
    *,
    size: Annotated[int, typer.Option(min=1, max=100, help="How many, the newest.")] = 20,
    once: Once = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """The newest workflows in a table that follows them, until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    with connect(base_url, api_key) as client:
        _follow(lambda: (_table(client, size), False), once=once)


@app.command()
def show(
    workflow_id: Annotated[str, typer.Argument(help="Such as wf_06f3…", metavar="ID")],
    *,
    once: Once = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """One workflow with its steps, until it has ended or waits for somebody."""
    with connect(base_url, api_key) as client:

        def look() -> tuple[RenderableType, bool]:
            workflow = client.workflow(workflow_id)
            return _steps(workflow), workflow.settled

        _follow(look, once=once)


def _follow(look: Callable[[], tuple[RenderableType, bool]], *, once: bool) -> None:
    """Draw what ``look`` answers, again and again until it says that this was the last."""
    shown, is_last = look()
    if once or not console.is_terminal:
        console.print(shown)
        return
    with Live(shown, console=console, auto_refresh=False) as live:
        live.refresh()
        while not is_last:
            time.sleep(_SECONDS)
            shown, is_last = look()
            live.update(shown, refresh=True)


def _table(client: ComputeClient, size: int) -> RenderableType:
    page = client.workflows(size=size)
    table = Table(header_style="bold", box=None, pad_edge=False)
    # A terminal of 80 columns has no room for bars.
    bars = ("progress", "") if console.width >= _WIDE else ("progress",)
    for column in ("id", "name", "state", "step", *bars, "time"):
        table.add_column(
            column,
            justify="right" if column == "time" else "left",
            no_wrap=column not in {"name", "step"},
            overflow="fold",
        )
    for one in page.items:
        table.add_row(
            one.id,
            escape(one.name),
            _coloured(one.status),
            _current(one),
            *_bar(one.progress)[-len(bars) :],
            _duration(one),
        )
    if not page.items:
        return "[dim]No workflows yet.[/]"
    left = page.total - len(page.items)
    return Group(table, f"[dim]and {left:,} older ones[/]") if left > 0 else table


def _steps(workflow: Workflow) -> RenderableType:
    head = (
        f"[bold]{escape(workflow.name)}[/]  {workflow.id}  {_coloured(workflow.status)}  "
        f"{workflow.progress:.0%}  [dim]{_duration(workflow)}[/]"
    )
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("step", "type", "state", "progress", "", "made"):
        table.add_column(column, no_wrap=column != "made")
    for step in workflow.steps:
        table.add_row(
            escape(step.name),
            escape(step.type),
            _coloured(step.status),
            *_bar(step.progress),
            _made(step),
        )
    parts: list[RenderableType] = [head, table]
    if workflow.error:
        parts.append(f"[red]{escape(workflow.error)}[/]")
    return Group(*parts)


def _made(step: WorkflowStep) -> str:
    if step.error:
        return f"[red]{escape(step.error)}[/]"
    count = len(step.images)
    text = f"{count} picture{'' if count == 1 else 's'}" if count else ""
    return f"{text} [dim](reused)[/]" if step.reused else text


def _current(workflow: Workflow) -> str:
    if workflow.current_step is None:
        return ""
    step = workflow.steps[workflow.current_step]
    return f"{escape(step.name)} [dim]{workflow.current_step + 1}/{len(workflow.steps)}[/]"


def _bar(progress: float) -> tuple[ProgressBar, str]:
    return ProgressBar(total=1.0, completed=progress, width=_BAR), f"{progress:>4.0%}"


def _coloured(state: str) -> str:
    return f"[{_COLOURS.get(state, 'default')}]{state}[/]"


def _duration(workflow: Workflow) -> str:
    if workflow.started_at is None:
        return ""
    seconds = ((workflow.completed_at or datetime.now(UTC)) - workflow.started_at).total_seconds()
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"
