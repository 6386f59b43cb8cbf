"""How often a quote's interval held: a mixed load, each task quoted just before it is submitted."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context, prompt
from benchmarks.harness import Result, Target, quantiles
from benchmarks.tenants import Tenant, make_tenants

_SHARE = 0.85
_SECONDS = 200.0
# Quotes of the first tasks are drawn from none or few; they are shown, and do not count.
_LEARNT_FROM = 10


@dataclass(frozen=True, slots=True)
class Quoted:
    """What was foretold of a task, and how it went, in seconds."""

    p50: float
    p90: float
    samples: int
    position: int
    truth: float


def run(context: Context) -> Result:
    """Three organizations submit tasks of any size at random times, for some minutes."""
    tenants = make_tenants(context, 3, tier="internal")
    seconds = context.times(int(_SECONDS), 20)
    with ThreadPoolExecutor(len(tenants)) as clients:
        found = clients.map(
            lambda one: _client(context, one[1], seconds, seed=one[0]), enumerate(tenants)
        )
        quotes = sorted((one for own in found for one in own), key=lambda one: one[0])
    return _result([quoted for _, quoted in quotes])


def _client(
    context: Context, tenant: Tenant, seconds: float, *, seed: int
) -> list[tuple[float, Quoted]]:
    numbers = random.Random(seed)
    until = time.monotonic() + seconds
    waiting: list[tuple[str, float, dict[str, Any]]] = []
    with tenant.connect(context.platform.base_url) as client:
        while time.monotonic() < until:
            body = {
                "prompt": prompt(numbers.randrange(10**6)),
                "num_outputs": numbers.choice((1, 1, 2, 4)),
                "steps": numbers.choice((4, 8, 20)),
            }
            quoted = _post(client, "/tasks/generation?dry_run=true", body)
            task = _post(client, "/tasks/generation", body)
            waiting.append((task["id"], time.time(), quoted))
            # Bursts, and pauses in which the queue runs empty.
            mean = 12.0 if numbers.random() < 0.35 else 2.0
            time.sleep(min(numbers.expovariate(1 / mean), 20.0))
        return [(at, _settled(client, task_id, quoted)) for task_id, at, quoted in waiting]


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(path, json=body).raise_for_status().json()
    return answer


def _settled(client: httpx.Client, task_id: str, quoted: dict[str, Any]) -> Quoted:
    while (task := client.get(f"/tasks/{task_id}", params={"wait": 30}).json())["status"] in {
        "pending",
        "running",
    }:
        continue
    if task["status"] != "completed":
        raise RuntimeError(f"{task_id} is {task['status']}: {task['error']}")
    created, completed = (
        datetime.fromisoformat(task[name]).timestamp() for name in ("created_at", "completed_at")
    )
    eta = quoted["eta"] or {"p50": 0.0, "p90": 0.0, "samples": 0}
    return Quoted(
        eta["p50"], eta["p90"], eta["samples"], quoted["queue_position"], completed - created
    )


def _result(quotes: list[Quoted]) -> Result:
    learnt = [one for one in quotes if one.samples >= _LEARNT_FROM]
    if not learnt:
        raise RuntimeError("no quote was drawn from enough tasks")
    below_p90 = sum(one.truth <= one.p90 for one in learnt) / len(learnt)
    below_p50 = sum(one.truth <= one.p50 for one in learnt) / len(learnt)
    width = quantiles([one.p90 / one.p50 for one in learnt])

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, 1)
        order = sorted(learnt, key=lambda one: one.p50)
        places = list(range(len(order)))
        axes.fill_between(
            places,
            [one.p50 for one in order],
            [one.p90 for one in order],
            color=plots.OTHER,
            alpha=0.6,
            label="quoted, p50 to p90",
        )
        inside = [one.truth <= one.p90 for one in order]
        for held, colour, label in (
            (True, plots.PLATFORM, f"truth, at most p90: {below_p90:.0%}"),
            (False, plots.LIMIT, "truth, beyond p90"),
        ):
            chosen = [place for place in places if inside[place] is held]
            axes.scatter(
                chosen, [order[place].truth for place in chosen], s=9, color=colour, label=label
            )
        axes.set_xlabel("tasks, by what was quoted")
        axes.set_ylabel("seconds until completed")
        axes.legend(frameon=False)
        plots.tidy(axes)

    return Result(
        name="quotes",
        title=f"Quotes against the truth: {below_p90:.0%} of {len(learnt)} tasks by p90",
        method=(
            "Three organizations submit generations of 1 to 4 images in 4, 8 or 20 steps at random "
            f"times for {_SECONDS:g} s, bursts and pauses; each is quoted (`?dry_run=true`) just "
            f"before. Quotes drawn from fewer than {_LEARNT_FROM} tasks do not count. The truth "
            "is the time from the submission to the stored pictures."
        ),
        targets=[Target("truth within the p90 of its quote", below_p90, _SHARE, "", at_least=True)],
        data={
            "tasks": len(quotes),
            "learnt": len(learnt),
            "share_below_p90": below_p90,
            "share_below_p50": below_p50,
            "share_between_p50_and_p90": below_p90 - below_p50,
            "p90_over_p50": width,
            "truth_over_p50": quantiles([one.truth / one.p50 for one in learnt]),
            "quotes": [[one.p50, one.p90, one.samples, one.position, one.truth] for one in quotes],
        },
        draw=draw,
    )
