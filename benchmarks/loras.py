"""Requests with a LoRA against requests without; sixteen LoRAs in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from matplotlib.figure import Figure

from benchmarks import lora_rounds, plots
from benchmarks.context import Context, prompt
from benchmarks.harness import Result, Target, median, quantiles
from benchmarks.http import completed, connect, send, submission
from benchmarks.lora_files import random_lora

_CACHED_RATIO = 1.15
_UNCACHED_RATIO = 1.5
_GROWTH = 0.05
_WARM_UP = 2
_MIB = 2**20


@dataclass(slots=True)
class Samples:
    """Seconds of each request, by its kind, and of fetching each new file once."""

    without: list[float] = field(default_factory=list)
    cached: list[float] = field(default_factory=list)
    uncached: list[float] = field(default_factory=list)
    transfer: list[float] = field(default_factory=list)


def run(context: Context) -> Result:
    """All kinds in turn, so that they see the same machine."""
    samples = Samples()
    with connect(context.platform) as http:
        known = _upload(context, http, 0)
        _request(http, 0, known["id"])
        for index in range(1, context.times(25, 3) + _WARM_UP + 1):
            new = _upload(context, http, index)
            began = time.perf_counter()
            httpx.get(new["url"], trust_env=False).raise_for_status()
            seconds = {
                "transfer": time.perf_counter() - began,
                "without": _request(http, 3 * index, None),
                # The replica has it, but the weights are those of another request.
                "cached": _request(http, 3 * index + 1, known["id"]),
                "uncached": _request(http, 3 * index + 2, new["id"]),
            }
            if index > _WARM_UP:
                for kind, value in seconds.items():
                    getattr(samples, kind).append(value)
    return _result(context, samples, _rounds(context))


def _upload(context: Context, http: httpx.Client, seed: int) -> dict[str, Any]:
    content = random_lora(context.model, seed)
    form = {"name": "benchmark", "base_model": context.model.name}
    response = http.post("/loras/", files={"file": ("a.safetensors", content)}, data=form)
    made: dict[str, Any] = response.raise_for_status().json()
    return made


def _request(http: httpx.Client, number: int, lora: str | None) -> float:
    loras = [{"name": lora}] if lora else []
    body = {"prompt": prompt(number), "seed": number, "loras": loras}
    request = submission(http, body)
    began = time.perf_counter()
    completed(http, send(http, request))
    return time.perf_counter() - began


def _rounds(context: Context) -> dict[str, Any]:
    """What the process of :mod:`.lora_rounds` says."""
    context.say("loras: sixteen in turn")
    arguments = [context.model.name, str(context.times(5, 2))]
    done = subprocess.run(
        [sys.executable, "-m", lora_rounds.__name__, *arguments],
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _result(context: Context, samples: Samples, rounds: dict[str, Any]) -> Result:
    without, cached, uncached = map(median, (samples.without, samples.cached, samples.uncached))
    transfer = median(samples.transfer)
    allowed = _UNCACHED_RATIO * without + transfer
    defaults = context.model.defaults

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        kinds = {
            "without a LoRA": samples.without,
            "with one that the replica has": samples.cached,
            "with one that it does not have": samples.uncached,
        }
        plots.distribution(axes, kinds, "seconds from the POST to completed")
        plots.limit(axes, allowed, "target for the last one's median", vertical=True)

    return Result(
        name="loras",
        title=f"One image of {defaults.width}×{defaults.height} with a LoRA: "
        f"{cached / without:.2f} × cached, {uncached / without:.2f} × not cached",
        method=(
            "In turn over HTTP, one image at a time and each with its own prompt: without a LoRA, "
            "with one whose file the replica has in memory, with one that was uploaded just before "
            "and that neither runner nor replica has seen. Each request changes the weights. The "
            "LoRAs are of rank 16 on all attention layers, with random factors. Transfer: a GET of "
            f"the new file. Then, in a process of its own, {lora_rounds.LORAS} LoRAs in turn "
            f"through a server that may keep {lora_rounds.KEPT} of them, in several rounds."
        ),
        targets=_targets(cached / without, uncached, allowed, rounds),
        data={
            "without_seconds": samples.without,
            "cached_seconds": samples.cached,
            "uncached_seconds": samples.uncached,
            "transfer_seconds": samples.transfer,
            "quantiles": {
                "without": quantiles(samples.without),
                "cached": quantiles(samples.cached),
                "uncached": quantiles(samples.uncached),
            },
            "rounds": rounds,
        },
        draw=draw,
    )


def _targets(
    cached_ratio: float, uncached: float, allowed: float, rounds: dict[str, Any]
) -> list[Target]:
    first, *_, last = rounds["resident_bytes"]
    bound = lora_rounds.KEPT * rounds["file_bytes"] / _MIB
    return [
        Target(
            f"first request of a cached LoRA ≤ {_CACHED_RATIO:g} × without",
            cached_ratio,
            _CACHED_RATIO,
            "×",
        ),
        Target(
            f"of an uncached one ≤ {_UNCACHED_RATIO:g} × without + transfer",
            uncached,
            allowed,
            "s",
        ),
        Target(
            f"{lora_rounds.LORAS} in turn: memory of LoRAs, at most",
            rounds["held_bytes"] / _MIB,
            bound,
            "MiB",
        ),
        Target(
            f"{lora_rounds.LORAS} in turn: growth of the process after the first round",
            (last - first) / first,
            _GROWTH,
            "",
        ),
    ]
