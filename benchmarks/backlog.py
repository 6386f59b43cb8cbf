"""What a claim costs with a large backlog; the measurement is that of :mod:`benchmarks.claim`."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from benchmarks import claim, plots
from benchmarks.context import Context
from benchmarks.harness import Result, Target


def run(context: Context) -> Result:
    """On a Postgres of its own; the platform need not run."""
    # Untyped JSON, for whoever runs that module alone.
    measured: dict[str, Any] = claim.run(context.times(claim.CLAIMS, 20))
    small, large = measured["small"], measured["large"]

    def draw(figure: Figure) -> None:
        for axes, percentile in zip(figure.subplots(1, 2), ("p50", "p99"), strict=True):
            values = {
                f"{side['tasks']:,} tasks of\n{side['organizations']:,} organizations": side[
                    f"{percentile}_ms"
                ]
                for side in (small, large)
            }
            plots.columns(axes, values, "ms", (plots.OTHER, plots.PLATFORM))
            axes.set_title(f"one claim, {percentile}")
        # Of the first two, only the median has a target.
        plots.limit(figure.axes[0], claim.LIMIT * small["p50_ms"], "target")

    return Result(
        name="backlog",
        title="Cost of claiming one task",
        method=(
            f"Two databases of a server, {small['tasks']:,} and {large['tasks']:,} tasks pending, "
            "claimed from in turn; each claim is undone, so the backlog stays. The claim's SQL "
            "statement alone, on a connection of its own."
        ),
        targets=[
            Target(
                f"claim, {large['tasks']:,} pending ≤ {claim.LIMIT:g} × with {small['tasks']:,}",
                measured["p50_ratio"],
                claim.LIMIT,
                "×",
            )
        ],
        data=measured,
        draw=draw,
    )
