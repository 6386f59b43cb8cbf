"""Four images of one product, as the bundled model makes them by default."""

from __future__ import annotations

import time

from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context, prompt
from benchmarks.harness import Result, Target, median

_LIMIT_SECONDS = 6.0
_IMAGES = 4


def run(context: Context) -> Result:
    """One task of four images at a time; the slowest one counts."""
    defaults = context.model.defaults
    seconds: list[float] = []
    products = context.products(context.times(5, 1))
    with context.client() as client:
        urls = [client.upload(product).url for product in products]
        for index, url in enumerate(urls):
            started = time.perf_counter()
            task = client.generate(prompt(index), input_image_url=url, num_outputs=_IMAGES)
            assert len(client.wait(task).images) == _IMAGES
            seconds.append(time.perf_counter() - started)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        runs = {f"run {index}": value for index, value in enumerate(seconds, 1)}
        plots.columns(axes, runs, "seconds", [plots.PLATFORM] * len(runs))
        plots.limit(axes, _LIMIT_SECONDS, "target")

    return Result(
        name="four_images",
        title=f"Four images of {defaults.width}×{defaults.height}, {defaults.steps} steps",
        method=(
            "One task with `num_outputs: 4` and a product picture at a time, from sending the POST "
            "until the shipped client, which polls every 200 ms, has read `completed`."
        ),
        targets=[Target("four images, slowest run", max(seconds), _LIMIT_SECONDS, "s")],
        data={"seconds": seconds, "median_seconds": median(seconds)},
        draw=draw,
    )
