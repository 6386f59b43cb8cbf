"""One task of one image against one call of the bare pipeline."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

import httpx
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context, prompt
from benchmarks.harness import Result, Target, median, quantiles
from benchmarks.http import completed, connect, send, submission

_RATIO = 1.05
_EXTRA_SECONDS = 0.060
_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from sending the POST until the client has read ``completed``, and until the platform
    had stored the file and said so in its database."""

    seen: float
    stored: float


def run(context: Context) -> Result:
    """Both sides in turn, so that they see the same machine."""
    repetitions = context.times(25, 3)
    products = context.products(repetitions + _WARM_UP)
    with context.client() as client:
        urls = [client.upload(product).url for product in products]
    bare: list[float] = []
    platform: list[Timing] = []
    with connect(context.platform) as http:
        for index, (product, url) in enumerate(zip(products, urls, strict=True)):
            call = context.bare.generate(product, prompt(index), seed=index)
            task = _one_task(http, url, prompt(index), seed=index)
            if index >= _WARM_UP:
                bare.append(call)
                platform.append(task)
    return _result(context, bare, platform)


def _one_task(http: httpx.Client, url: str, text: str, *, seed: int) -> Timing:
    request = submission(http, {"prompt": text, "input_image_url": url, "seed": seed})
    sent_at, sent = time.time(), time.perf_counter()
    task = completed(http, send(http, request))
    seen = time.perf_counter() - sent
    # One machine, one clock.
    stored = datetime.fromisoformat(task["completed_at"]).timestamp() - sent_at
    return Timing(seen, stored)


def _result(context: Context, bare: list[float], platform: list[Timing]) -> Result:
    seen = [timing.seen for timing in platform]
    stored = [timing.stored for timing in platform]
    allowed = _RATIO * median(bare) + _EXTRA_SECONDS
    defaults = context.model.defaults

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        samples = {
            "platform: POST sent to completed, as the client sees it": seen,
            "bare pipeline: one call": bare,
            "platform: POST sent to stored": stored,
        }
        milliseconds = {name: [s * 1e3 for s in values] for name, values in samples.items()}
        plots.distribution(axes, milliseconds, "milliseconds")
        plots.limit(axes, allowed * 1e3, "target for the platform's median", vertical=True)

    return Result(
        name="task",
        title=f"One image of {defaults.width}×{defaults.height}, {defaults.steps} steps",
        method=(
            "In turn: one call of the diffusers pipeline in its own process (picture decoded and "
            "resized before the clock starts, JPEG encoding included), then one task over HTTP, "
            "from sending the POST until the client reads `completed`, which the platform says "
            "after the file is stored. The client asks once, with `?wait=30`, which is answered at "
            "the end of the task. Every repetition has its own prompt and product picture."
        ),
        targets=[
            Target(
                f"HTTP to stored file ≤ {_RATIO:g} × bare + {_EXTRA_SECONDS * 1e3:.0f} ms",
                median(seen) * 1e3,
                allowed * 1e3,
                "ms",
            )
        ],
        data={
            "bare": context.bare.facts,
            "overhead_milliseconds": (median(seen) - median(bare)) * 1e3,
            "ratio": median(seen) / median(bare),
            "bare_seconds": bare,
            "platform_seconds": seen,
            "stored_seconds": stored,
            "bare_quantiles": quantiles(bare),
            "platform_quantiles": quantiles(seen),
        },
        draw=draw,
    )
