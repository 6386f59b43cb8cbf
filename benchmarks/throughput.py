"""Sixteen clients at once against the bare pipeline called one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context, prompt
from benchmarks.harness import Result, Target, quantiles
from benchmarks.http import completed, connect, send, submission

_CLIENTS = 16
_RATIO = 1.5


@dataclass(slots=True)
class Side:
    """Images and seconds of each round; seconds that each image's client waited."""

    images: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Images per second over all rounds."""
        return sum(self.images) / sum(self.seconds)

    @property
    def rates(self) -> list[float]:
        """Images per second, by round."""
        return [n / s for n, s in zip(self.images, self.seconds, strict=True)]


def run(context: Context) -> Result:
    """Rounds of one side and the other in turn."""
    rounds, tasks_each = context.times(3, 1), context.times(2, 1)
    products = context.products(_CLIENTS)
    with context.client() as client:
        urls = [client.upload(product).url for product in products]
    context.bare.generate(products[0], prompt(0), seed=0)
    bare, platform, serial = Side(), Side(), count()
    for _ in range(rounds):
        _bare_round(context, products, bare, serial)
        _platform_round(context, urls, tasks_each, platform, serial)
    return _result(context, bare, platform, tasks_each)


def _bare_round(context: Context, products: Sequence[Path], side: Side, serial: count[int]) -> None:
    seconds = [
        context.bare.generate(product, prompt(n), seed=n)
        for product, n in zip(products, serial, strict=False)
    ]
    side.images.append(len(seconds))
    side.seconds.append(sum(seconds))
    side.waits.extend(seconds)


def _platform_round(
    context: Context, urls: Sequence[str], tasks_each: int, side: Side, serial: count[int]
) -> None:
    """Every client submits, waits for its picture, and submits the next."""

    def work(url: str, numbers: Sequence[int]) -> list[float]:
        waits = []
        with connect(context.platform) as http:
            for number in numbers:
                body = {"prompt": prompt(number), "input_image_url": url, "seed": number}
                began = time.perf_counter()
                completed(http, send(http, submission(http, body)))
                waits.append(time.perf_counter() - began)
        return waits

    numbers = [[next(serial) for _ in range(tasks_each)] for _ in urls]
    started = time.perf_counter()
    with ThreadPoolExecutor(len(urls)) as clients:
        waits = list(clients.map(work, urls, numbers))
    side.seconds.append(time.perf_counter() - started)
    side.images.append(sum(map(len, waits)))
    side.waits.extend(wait for own in waits for wait in own)


def _result(context: Context, bare: Side, platform: Side, tasks_each: int) -> Result:
    ratio = platform.rate / bare.rate
    defaults = context.model.defaults

    def draw(figure: Figure) -> None:
        rates, waits = figure.subplots(1, 2)
        sides = {"bare pipeline,\none by one": bare.rate, f"{_CLIENTS} clients": platform.rate}
        plots.columns(rates, sides, "images/s", (plots.OTHER, plots.PLATFORM))
        plots.limit(rates, _RATIO * bare.rate, f"target, {_RATIO:g} × bare")
        plots.distribution(
            waits, {f"{_CLIENTS} clients": platform.waits}, "seconds until an image is stored"
        )

    return Result(
        name="throughput",
        title=f"{_CLIENTS} clients, {defaults.width}×{defaults.height}, {defaults.steps} steps: "
        f"{ratio:.2f} × the bare pipeline",
        method=(
            f"In turn: {_CLIENTS} calls of the diffusers pipeline, one after the other, in its own "
            f"process; then {_CLIENTS} clients at once, {tasks_each} tasks of one image each, the "
            "next as soon as the last is completed (`GET` with `?wait=30`). Each image has its own "
            "prompt and seed, every client its own product picture. Images per second over all "
            "rounds, idle ends of a round included."
        ),
        targets=[
            Target(f"{_CLIENTS} clients ≥ {_RATIO:g} × bare", ratio, _RATIO, "×", at_least=True)
        ],
        data={
            "bare": context.bare.facts,
            "bare_images_per_second": bare.rate,
            "platform_images_per_second": platform.rate,
            "bare_rounds": bare.rates,
            "platform_rounds": platform.rates,
            "bare_seconds": bare.waits,
            "platform_wait_seconds": platform.waits,
            "platform_wait_quantiles": quantiles(platform.waits),
        },
        draw=draw,
    )
