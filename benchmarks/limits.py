"""What counting requests costs: the same gateway with limits and without, asked in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence

import httpx
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context
from benchmarks.harness import Result, Target, median, quantiles
from benchmarks.plain import plain_gateway
from benchmarks.tenants import Tenant, make_tenants

_LIMIT_MS = 1.0
_PATH = "/tasks/task_00000000000000000000000000"
# Of each tenant that has 60 in a minute.
_EACH = 50

Pair = tuple[list[float], list[float]]


def run(context: Context) -> Result:
    """Two gateways on one database, one of which counts nothing; one request to each in turn."""
    starters = make_tenants(context, context.times(20, 2), tier="starter")
    (busy,) = make_tenants(context, 1, tier="internal")
    with (
        plain_gateway(context) as limited,
        plain_gateway(context, SARTIQ_LIMITS_REQUESTS="false") as free,
    ):
        _pair(busy, (limited, free), 100)
        context.say("limits: a busy client")
        kept = _pair(busy, (limited, free), context.times(1000, 100))
        context.say("limits: clients with a limit of 60 in a minute")
        asked = [_pair(one, (limited, free), _EACH) for one in starters]
    every = ([ms for on, _ in asked for ms in on], [ms for _, off in asked for ms in off])
    return _result(every, kept)


def _pair(tenant: Tenant, gateways: tuple[str, str], count: int) -> Pair:
    """Milliseconds of as many requests to each gateway."""
    took: Pair = ([], [])
    with tenant.connect(gateways[0]) as one, tenant.connect(gateways[1]) as other:
        sides = ((one, took[0]), (other, took[1]))
        for number in range(count):
            # Whoever comes second finds the database warm: each does, every other time.
            for client, samples in sides if number % 2 else reversed(sides):
                samples.append(_ask(client))
    return took


def _ask(client: httpx.Client) -> float:
    began = time.perf_counter()
    response = client.get(_PATH)
    took = (time.perf_counter() - began) * 1e3
    if response.status_code != 404:
        raise RuntimeError(f"HTTP {response.status_code}: {response.text[:200]}")
    return took


def _cost(pair: Pair) -> float:
    return median(pair[0]) - median(pair[1])


def _result(each: Pair, kept: Pair) -> Result:
    def draw(figure: Figure) -> None:
        for axes, (name, pair) in zip(
            figure.subplots(1, 2),
            (("60 in a minute: a statement each", each), ("busy: permits of a second", kept)),
            strict=True,
        ):
            plots.distribution(axes, {"limited": pair[0], "not limited": pair[1]}, "milliseconds")
            axes.set_title(f"{name}, {_cost(pair):+.2f} ms", fontsize=10)
            axes.set_xlim(0, _highest(pair))

    return Result(
        name="limits",
        title="What a rate limit costs a request",
        method=(
            "The gateway under uvicorn with one worker, once with limits and once with "
            "SARTIQ_LIMITS_REQUESTS=false, on one Postgres. A client asks both for a task that "
            "does not exist, with a key of its organization, one after the other on kept "
            "connections. Organizations of the tier `starter` (60 in a minute) send 50 requests "
            "each, of which every one takes a statement; one of the tier `internal` sends more, "
            "most of which use permits that the process holds. The cost is the difference of the "
            "medians."
        ),
        targets=[
            Target("limit of 60 in a minute, p50 more", _cost(each), _LIMIT_MS, "ms"),
            Target("limit of a busy client, p50 more", _cost(kept), _LIMIT_MS, "ms"),
        ],
        data={
            name: {"limited_milliseconds": quantiles(on), "free_milliseconds": quantiles(off)}
            for name, (on, off) in (("starter", each), ("internal", kept))
        },
        draw=draw,
    )


def _highest(samples: Sequence[list[float]]) -> float:
    return max(quantiles(one)["p99"] for one in samples)
