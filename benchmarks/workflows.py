"""What a workflow costs beside its tasks, and how many steps go through, against DBOS; the second
measurement is that of :mod:`benchmarks.pipelines`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import asyncpg
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context, prompt
from benchmarks.harness import Result, Target, median
from db import url as database_url
from db.embedded import EmbeddedPostgres
from serve_app.client import ComputeClient, Task

# Beside its three tasks by hand.
FACTOR: Final = 1.05
SECONDS: Final = 0.1
_ROUNDS: Final = 9
_WORKFLOWS: Final = 1_000
_STEPS: Final = 5
_DENOISING_STEPS: Final = 8
# Both ways that DBOS has; the quicker one counts.
_DBOS: Final = ("dbos-threads", "dbos-async")
_POLL_SECONDS: Final = 0.02


def run(context: Context) -> Result:
    """By hand and as a workflow in turn, on the platform; then many, on a Postgres of their own."""
    context.say("workflows: many of them, and DBOS")
    many = _many(context.times(_WORKFLOWS, 50))
    context.say("workflows: three steps, and the same by hand")
    by_hand, as_workflow = _three_steps(context)
    hand, flow = median(by_hand), median(as_workflow)
    ours = many["sartiq"]["steps_per_second"]
    theirs = {name: many[name]["steps_per_second"] for name in _DBOS}
    best = max(theirs.values())

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        plots.columns(left, {"by hand": hand, "workflow": flow}, "s", (plots.OTHER, plots.PLATFORM))
        plots.limit(left, FACTOR * hand + SECONDS, "target")
        left.set_title("three steps, median")
        values = {"Sartiq": ours, **{name.replace("-", "\n"): one for name, one in theirs.items()}}
        colours = (plots.PLATFORM, plots.OTHER, plots.OTHER)
        plots.columns(right, values, "steps/s", colours)
        plots.limit(right, best, "target")
        right.set_title(f"{many['workflows']:,} workflows of {_STEPS} steps")

    return Result(
        name="workflows",
        title="Workflows beside their tasks, and beside DBOS",
        method=(
            f"{len(by_hand)} rounds, each of a generation, an enlargement and a cut-out: submitted "
            f"one after the other as soon as the one before has completed (asked every "
            f"{_POLL_SECONDS * 1000:g} ms), and as a workflow, in turn. Then "
            f"{many['workflows']:,} workflows of {_STEPS} steps that do nothing, all of one "
            "organization, through the real queue and runner, and the same in DBOS "
            f"{many['dbos_version']}, on one Postgres server, a process and a database each, one "
            "after the other; from before the first is made until the last has completed."
        ),
        targets=[
            Target(
                f"workflow of 3 steps ≤ {FACTOR:g} × by hand + {SECONDS * 1000:g} ms",
                flow,
                FACTOR * hand + SECONDS,
                "s",
            ),
            Target("steps per second against DBOS", ours / best, 1.0, "×", at_least=True),
        ],
        data={"by_hand_seconds": by_hand, "workflow_seconds": as_workflow, "many": many},
        draw=draw,
    )


def _three_steps(context: Context) -> tuple[list[float], list[float]]:
    by_hand: list[float] = []
    as_workflow: list[float] = []
    rounds = context.times(_ROUNDS, 1)
    products = context.products(2 * (rounds + 1))
    with context.client() as client:
        for number in range(rounds + 1):
            one, other = (client.upload(products[2 * number + k]).url for k in range(2))
            measured = (
                _by_hand(client, one, prompt(2 * number)),
                _as_workflow(client, other, prompt(2 * number + 1)),
            )
            # The first of each warms the models up.
            if number:
                by_hand.append(measured[0])
                as_workflow.append(measured[1])
    return by_hand, as_workflow


def _by_hand(client: ComputeClient, url: str, text: str) -> float:
    started = time.perf_counter()

    def done(task: Task) -> str:
        return client.wait(task, poll_seconds=_POLL_SECONDS).images[0].url

    made = done(client.generate(text, input_image_url=url, num_outputs=1, steps=_DENOISING_STEPS))
    done(client.remove_background(done(client.upscale(made, scale=2))))
    return time.perf_counter() - started


def _as_workflow(client: ComputeClient, url: str, text: str) -> float:
    started = time.perf_counter()
    steps = [
        {
            "name": "generate",
            "type": "generation",
            "config": {"prompt": text, "steps": _DENOISING_STEPS},
        },
        {
            "name": "upscale",
            "type": "processing",
            "config": {"operation": "upscale", "scale": 2},
            "depends_on": ["generate"],
        },
        {
            "name": "cut",
            "type": "processing",
            "config": {"operation": "remove-background"},
            "depends_on": ["upscale"],
        },
    ]
    made = client.create_workflow("bench", steps, start={"image_url": url})
    client.wait(made, poll_seconds=_POLL_SECONDS)
    return time.perf_counter() - started


def _many(count: int) -> dict[str, Any]:
    """Each side on one server, by its name."""
    home = Path(tempfile.mkdtemp(prefix="sartiq-bench-"))
    home.chmod(0o755)
    server = EmbeddedPostgres(home)
    measured: dict[str, Any] = {
        "workflows": count,
        "steps": _STEPS,
        "dbos_version": version("dbos"),
    }
    try:
        url = server.start()
        for side in ("sartiq", *_DBOS):
            measured[side] = _side(url, side, count)
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    return measured


def _side(url: str, side: str, count: int) -> dict[str, Any]:
    name = f"bench_{side.replace('-', '_')}"
    own = database_url.parse(url).set(database=name)
    asyncio.run(_create(url, name))
    driver = "postgresql" if side in _DBOS else own.drivername
    own = own.set(drivername=driver)
    environment = {**os.environ, "DATABASE_URL": own.render_as_string(hide_password=False)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pipelines", side, str(count), str(_STEPS)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=600,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


async def _create(url: str, name: str) -> None:
    connection = await asyncpg.connect(**database_url.connect_arguments(database_url.parse(url)))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
