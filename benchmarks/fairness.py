"""Two small organizations beside one with 64 tasks, against the same two with nobody else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context, prompt
from benchmarks.harness import Result, Target, quantiles
from benchmarks.tenants import Tenant, make_tenants

_BIG = 64
_SMALL = 3
_RATIO = 2.0
# The small ones come when the big one's tasks run; later each round, so as to meet its batches at
# any point.
_LATER_SECONDS = 3.0


@dataclass(slots=True)
class Side:
    """Seconds of the small organizations' tasks: until they began, and until they were done."""

    began: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)

    def add(self, task: dict[str, Any]) -> None:
        """Note a task that is completed."""
        created, started, completed = (
            datetime.fromisoformat(task[name]).timestamp()
            for name in ("created_at", "started_at", "completed_at")
        )
        self.began.append(started - created)
        self.done.append(completed - created)


def run(context: Context) -> Result:
    """Rounds alone and rounds beside the big one, in turn."""
    big, *small = make_tenants(context, 3, tier="internal")
    alone, beside = Side(), Side()
    rounds = context.times(6, 1)
    for number in range(rounds):
        context.say(f"fairness: round {number + 1} of {rounds}")
        _small_ones(context, small, alone)
        with big.connect(context.platform.base_url) as client:
            ids = [_submit(client, n)["id"] for n in range(_BIG)]
            time.sleep(_LATER_SECONDS + number * 1.5)
            _small_ones(context, small, beside)
            for task_id in ids:
                client.post(f"/tasks/{task_id}/cancel").raise_for_status()
    return _result(alone, beside)


def _small_ones(context: Context, small: Sequence[Tenant], side: Side) -> None:
    """Each of them submits its tasks at once and waits for all."""

    def work(tenant: Tenant) -> list[dict[str, Any]]:
        with tenant.connect(context.platform.base_url) as client:
            tasks = [_submit(client, n) for n in range(_SMALL)]
            return [_completed(client, task["id"]) for task in tasks]

    with ThreadPoolExecutor(len(small)) as clients:
        for tasks in clients.map(work, small):
            for task in tasks:
                side.add(task)


def _submit(client: Any, number: int) -> dict[str, Any]:
    body = {"prompt": prompt(number)}
    task: dict[str, Any] = client.post("/tasks/generation", json=body).raise_for_status().json()
    return task


def _completed(client: Any, task_id: str) -> dict[str, Any]:
    while True:
        task: dict[str, Any] = client.get(f"/tasks/{task_id}", params={"wait": 30}).json()
        if task["status"] == "completed":
            return task
        if task["status"] not in {"pending", "running"}:
            raise RuntimeError(f"{task_id} is {task['status']}: {task['error']}")


def _result(alone: Side, beside: Side) -> Result:
    own, among = quantiles(alone.done), quantiles(beside.done)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, 1)
        plots.distribution(
            axes,
            {"beside 64 tasks": beside.done, "with nobody else": alone.done},
            "seconds until a small organization has its picture",
        )
        plots.limit(axes, _RATIO * own["p95"], "target for p95", vertical=True)

    return Result(
        name="fairness",
        title=f"Two organizations with {_SMALL} tasks each, beside one with {_BIG}",
        method=(
            f"Two organizations submit {_SMALL} tasks of one image each, at once, and wait for "
            f"them: with nobody else, and while {_BIG} tasks of a third run that were submitted "
            "some seconds before; what is left of those is cancelled. In turn. The wait is that "
            "from the submission to the stored picture. One replica with one batch at a time: that "
            "of the big one stands still for the others' between two denoising steps."
        ),
        targets=[
            Target(
                f"wait of the small ones, p95 ≤ {_RATIO:g} × that alone",
                among["p95"] / own["p95"],
                _RATIO,
                "×",
            )
        ],
        data={
            "alone_seconds": own,
            "beside_seconds": among,
            "alone_seconds_until_begun": quantiles(alone.began),
            "beside_seconds_until_begun": quantiles(beside.began),
        },
        draw=draw,
    )
