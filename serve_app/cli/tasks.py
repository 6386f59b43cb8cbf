"""`sartiq tasks`: what waits and runs, and what happened to a task when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from serve_app.cli.live import Watch, coloured, seconds, show, table
from serve_app.cli.pictures import ApiKey, BaseUrl, connect
from serve_app.client import ComputeClient
from serve_app.client.monitoring import MonitoredTask, MonitoredTaskDetail, Queue

app = typer.Typer(
    help="What waits and runs, live with --watch; `show ID` tells what happened to one task."
)

_BAR = 32


@app.callback(invoke_without_command=True)
def tasks(
    context: typer.Context,
    *,
    watch: Watch = False,
    status: Annotated[
        list[str] | None, typer.Option(help="Only these, such as running; may be repeated.")
    ] = None,
    type: Annotated[str | None, typer.Option(help="Such as generation.")] = None,  # noqa: A002
    queue: Annotated[str | None, typer.Option(help="Of this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """List queues and tasks, the newest first."""
    if context.invoked_subcommand is not None:
        return
    with connect(base_url, api_key) as client:

        def draw() -> RenderableType:
            found = client.tasks(status=status, type=type, queue=queue, size=limit)
            shown = f"{len(found.items)} of {found.total:,} tasks"
            return Group(_queues(client.queues()), "", _tasks(found.items), Text(shown, "dim"))

        show(draw, watch=watch)


@app.command("show")
def show_task(
    task_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    watch: Watch = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Tell what happened to a task, and how long each phase took."""
    with connect(base_url, api_key) as client:
        show(lambda: _draw_task(client, task_id), watch=watch)


def _queues(queues: tuple[Queue, ...]) -> Table:
    numbers = ("pending", "delayed", "running", "workers", "longest wait")
    drawn = table("queue", *numbers, right=numbers)
    for one in queues:
        wait = seconds(one.oldest_wait_seconds)
        counts = (one.pending, one.delayed, one.running, one.workers)
        drawn.add_row(one.name, *map(str, counts), wait)
    return drawn


def _tasks(found: tuple[MonitoredTask, ...]) -> Table:
    right = ("waited", "ran")
    drawn = table("task", "type", "status", "progress", *right, "model", "error", right=right)
    for one in found:
        bar = ProgressBar(1.0, one.progress, width=12) if one.status == "running" else ""
        drawn.add_row(
            one.id,
            one.type,
            coloured(one.status),
            bar,
            seconds(one.wait_seconds),
            seconds(one.duration_seconds),
            one.model or "",
            escape(one.error or ""),
        )
    return drawn


def _draw_task(client: ComputeClient, task_id: str) -> RenderableType:
    task = client.timeline(task_id)
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("type", task.type),
        ("model", task.model),
        ("queue", task.queue),
        ("request", task.request_id),
        ("runner", task.runner),
        ("worker", task.worker),
        ("error", task.error),
    ):
        if value:
            facts.add_row(f"[dim]{name}[/]", escape(value))
    title = Text.assemble((task.id, "bold"), "  ", coloured(task.status))
    if task.status == "running":
        title.append(f"  {task.progress:.0%}")
    return Group(title, facts, "", _timeline(task))


def _timeline(task: MonitoredTaskDetail) -> RenderableType:
    """One bar for each phase, at its place in the task's time so far."""
    if not task.timeline:
        return Text("Nothing is known of its phases.", style="dim")
    now = datetime.now(task.created_at.tzinfo)
    begin = task.timeline[0].started_at
    places = [((one.started_at - begin).total_seconds(), one.seconds, one) for one in task.timeline]
    total = max(
        offset + (spent if spent is not None else (now - one.started_at).total_seconds())
        for offset, spent, one in places
    )
    drawn = table("attempt", "phase", "begins", "takes", "", right=("attempt", "begins", "takes"))
    for offset, spent, one in places:
        lasting = spent if spent is not None else max(total - offset, 0.0)
        bar = _bar(offset, lasting, total, waits=one.phase in {"waiting", "batch"})
        takes = seconds(spent) if spent is not None else f"{seconds(lasting)} …"
        drawn.add_row(str(one.attempt), one.phase, f"+{seconds(offset)}", takes, bar)
    return drawn


def _bar(offset: float, lasting: float, total: float, *, waits: bool) -> Text:
    scale = _BAR / total if total else 0.0
    start = min(round(offset * scale), _BAR - 1)
    length = max(round(lasting * scale), 1)
    return Text(" " * start) + Text("█" * length, style="yellow" if waits else "cyan")
