"""How soon a task starts when a replica is free."""

from __future__ import annotations

import random
import time
from datetime import datetime

import httpx
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import PROMPT, Context
from benchmarks.harness import Result, Target, quantiles
from benchmarks.http import completed, connect, send, submission

_P50_MS = 30.0
_P99_MS = 150.0
_WARM_UP = 5


def run(context: Context) -> Result:
    """Tasks of one step, one at a time, each sent when the one before has long ended."""
    samples = context.times(200, 15)
    pause = random.Random(0)
    from_post: list[float] = []
    from_row: list[float] = []
    with connect(context.platform) as http:
        for index in range(samples + _WARM_UP):
            # No rhythm: the platform's own timers must be met at every phase.
            time.sleep(pause.uniform(0.05, 0.25))
            post, row = _one_start(http)
            if index >= _WARM_UP:
                from_post.append(post)
                from_row.append(row)
    return _result(from_post, from_row)


def _one_start(http: httpx.Client) -> tuple[float, float]:
    """Milliseconds to ``started_at``: from sending the POST, and from ``created_at``."""
    request = submission(http, {"prompt": PROMPT, "steps": 1})
    sent = time.time()
    task = completed(http, send(http, request))
    # One machine, one clock.
    started = datetime.fromisoformat(task["started_at"]).timestamp()
    created = datetime.fromisoformat(task["created_at"]).timestamp()
    return (started - sent) * 1e3, (started - created) * 1e3


def _result(from_post: list[float], from_row: list[float]) -> Result:
    post, row = quantiles(from_post), quantiles(from_row)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        plots.distribution(
            axes,
            {"from sending the POST": from_post, "from `created_at`": from_row},
            "milliseconds until started",
        )
        plots.limit(axes, _P50_MS, "target for p50", vertical=True)
        plots.limit(axes, _P99_MS, "target for p99", vertical=True)

    return Result(
        name="start",
        title=f"From submitting to started, a replica being free (p50 {post['p50']:.1f} ms)",
        method=(
            "Tasks of one step and one image, one at a time, 50 to 250 ms after the end of the one "
            "before. From the wall clock just before the client sends its POST to `started_at`, "
            "which Postgres writes when a runner claims the task; client and server share a clock."
        ),
        targets=[
            Target("submit → started, p50", post["p50"], _P50_MS, "ms"),
            Target("submit → started, p99", post["p99"], _P99_MS, "ms"),
        ],
        data={
            "from_post_milliseconds": from_post,
            "from_created_milliseconds": from_row,
            "from_post_quantiles": post,
            "from_created_quantiles": row,
        },
        draw=draw,
    )
