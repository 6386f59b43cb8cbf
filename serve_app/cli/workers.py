"""`sartiq workers`: who does the work, and how they are."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from serve_app.cli.live import Watch, coloured, seconds, show, table
from serve_app.cli.pictures import ApiKey, BaseUrl, connect
from serve_app.client.monitoring import Worker, Workers

_GIB = 1024**3


def workers(*, watch: Watch = False, base_url: BaseUrl = None, api_key: ApiKey = None) -> None:
    """List who does the work: what they hold, and what they use."""
    with connect(base_url, api_key) as client:
        show(lambda: _draw(client.workers()), watch=watch)


def _draw(found: Workers) -> RenderableType:
    right = ("CPU", "memory", "GPU", "heard")
    drawn = table("worker", "deployment", "status", *right, "tasks", "models", "LoRAs", right=right)
    now = datetime.now(UTC)
    for one in found.items:
        drawn.add_row(
            one.id,
            one.deployment,
            coloured(one.status),
            f"{one.cpu:.2f}",
            f"{one.memory_bytes / _GIB:.2f} GiB",
            _gpu(one),
            seconds(max((now - one.last_heartbeat).total_seconds(), 0.0)),
            _some(one.tasks),
            escape(", ".join(one.models) + (f" (loads {one.loading})" if one.loading else "")),
            _some(one.loras),
        )
    troubles = [Text(f"{one.id}: {one.problem}", style="red") for one in found.items if one.problem]
    return Group(drawn, *troubles, Text(f"{len(found.items)} of {found.total} workers", "dim"))


def _gpu(worker: Worker) -> str:
    return "–" if worker.gpu_utilization is None else f"{worker.gpu_utilization:.0%}"


def _some(names: tuple[str, ...]) -> str:
    """The first, and how many more."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return escape(names[0] + more) if names else ""
