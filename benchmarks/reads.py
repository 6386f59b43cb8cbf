"""Reading a task at 16 connections: the platform against the same application under uvicorn."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import httpx
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import PROMPT, Context
from benchmarks.harness import Result, Target, median, quantiles
from benchmarks.load import Load, Measured
from benchmarks.plain import plain_gateway
from benchmarks.responder import responding
from serve_app.client import COMPUTE_BASE

_CONNECTIONS = 16
_SHARE = 0.6
_P99_MS = 60.0
# Between two loads, so that none pays for what the one before has left to do.
_PAUSE_SECONDS = 0.3


@dataclass(slots=True)
class Side:
    """The rounds of one server."""

    rounds: list[Measured] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests per second, median of the rounds."""
        return median(self.rates)

    @property
    def rates(self) -> list[float]:
        """Requests per second, by round."""
        return [measured.rate for measured in self.rounds]

    @property
    def milliseconds(self) -> list[float]:
        """Every request of every round."""
        return [ms for measured in self.rounds for ms in measured.milliseconds]

    def as_json(self) -> dict[str, object]:
        """Rates by round, quantiles of the latency, and how busy the generator was."""
        return {
            "requests_per_second": self.rate,
            "rounds": self.rates,
            "requests": len(self.milliseconds),
            "latency_milliseconds": quantiles(self.milliseconds),
            "generator_busy": [measured.busy for measured in self.rounds],
        }


def run(context: Context) -> Result:
    """Both servers are up all the time; the load goes to one and the other in turn."""
    path, body = _completed_task(context)
    platform, uvicorn = Side(), Side()
    with plain_gateway(context) as plain:
        for _ in range(context.times(6, 2)):
            for base_url, side in ((context.platform.base_url, platform), (plain, uvicorn)):
                side.rounds.append(_load(context, f"{base_url}{path}"))
    with responding(body) as base_url:
        ceiling = _load(context, f"{base_url}{path}")
    return _result(platform, uvicorn, ceiling)


def _completed_task(context: Context) -> tuple[str, bytes]:
    """Path of a task with an image, whose URL is signed anew for every answer; its answer."""
    with context.client() as client:
        task = client.wait(client.generate(PROMPT, steps=1))
    path = f"{COMPUTE_BASE}/tasks/{task.id}"
    answer = httpx.get(
        f"{context.platform.base_url}{path}",
        headers={"Authorization": f"Bearer {context.platform.api_key}"},
        trust_env=False,
    )
    return path, answer.raise_for_status().content


def _load(context: Context, url: str) -> Measured:
    time.sleep(_PAUSE_SECONDS)
    seconds = 2.0 if context.quick else 4.0
    load = Load(url, context.platform.api_key, connections=_CONNECTIONS, seconds=seconds)
    return load.run()


def _result(platform: Side, uvicorn: Side, ceiling: Measured) -> Result:
    share = platform.rate / uvicorn.rate
    latency = quantiles(platform.milliseconds)

    def draw(figure: Figure) -> None:
        rates, waits = figure.subplots(1, 2)
        plots.columns(
            rates,
            {"plain uvicorn,\none worker": uvicorn.rate, "platform": platform.rate},
            "requests/s",
            (plots.OTHER, plots.PLATFORM),
        )
        plots.limit(rates, _SHARE * uvicorn.rate, f"target, {_SHARE:g} × uvicorn")
        samples = {"platform": platform.milliseconds, "plain uvicorn": uvicorn.milliseconds}
        plots.distribution(waits, samples, "milliseconds")
        plots.limit(waits, _P99_MS, "target for p99", vertical=True)

    return Result(
        name="reads",
        title=f"GET /tasks/{{id}} at {_CONNECTIONS} connections",
        method=(
            f"{_CONNECTIONS} keep-alive connections from a separate process, each asking again as "
            "soon as it has the answer; all servers and the generator share the machine. Platform "
            "(HAProxy, Ray Serve) and the same application, database and storage under uvicorn "
            "with one worker, in turn; the task is completed and its image URL is signed for every "
            "answer. The ceiling is the same generator against a server that does nothing."
        ),
        targets=[
            Target("requests/s ≥ 0.6 × plain uvicorn", share, _SHARE, "×", at_least=True),
            Target(f"p99 at {_CONNECTIONS} connections", latency["p99"], _P99_MS, "ms"),
        ],
        data={
            "platform": platform.as_json(),
            "uvicorn": uvicorn.as_json(),
            "generator_ceiling_requests_per_second": ceiling.rate,
        },
        draw=draw,
    )
