"""The course of a training as a picture."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from db.repositories.trainings import TrainingHistory

_SIZE_INCHES = (9.0, 5.0)
_DOTS_PER_INCH = 110
# Single steps see few pictures at one noise level each: losses scatter by more than they fall.
_WINDOW_SHARE = 20
# What is drawn of the single steps; more would not be told apart.
_MOST_POINTS = 2000
# Matplotlib keeps its font cache and its settings per process.
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Curve:
    """Values by step."""

    steps: Sequence[int]
    values: Sequence[float]

    def smoothed(self) -> Curve:
        """Its moving average over a twentieth of all steps, each with those before it."""
        window = max(1, len(self.values) // _WINDOW_SHARE)
        averages, total = [], 0.0
        for position, value in enumerate(self.values):
            total += value
            if position >= window:
                total -= self.values[position - window]
            averages.append(total / min(position + 1, window))
        return Curve(self.steps, averages)

    def thinned(self) -> Curve:
        """At most so many of its points."""
        every = max(1, len(self.values) // _MOST_POINTS)
        return Curve(self.steps[::every], self.values[::every])


def draw(title: str, history: TrainingHistory) -> bytes:
    """A PNG of the losses by step, with validation losses and similarities where there are any."""
    # It takes most of a second to load; nobody but who asks for a plot should wait for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with _lock:
        figure = Figure(_SIZE_INCHES, _DOTS_PER_INCH, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.set(title=title, xlabel="step", ylabel="loss")
        axes.grid(alpha=0.25)
        _draw_losses(axes, history)
        _draw_similarity(axes, history)
        if history.steps:
            figure.legend(loc="outside lower center", ncols=4, frameon=False)
        file = BytesIO()
        canvas.print_png(file)
    return file.getvalue()


def _draw_losses(axes: Any, history: TrainingHistory) -> None:
    steps = Curve([one.step for one in history.steps], [one.loss for one in history.steps])
    if not steps.steps:
        axes.text(0.5, 0.5, "no step has been done yet", transform=axes.transAxes, ha="center")
        return
    single, average = steps.thinned(), steps.smoothed().thinned()
    axes.plot(single.steps, single.values, ".", markersize=2, alpha=0.3, color="tab:blue")
    axes.plot(average.steps, average.values, color="tab:blue", label="training, averaged")
    held_out = [one for one in history.validations if one.loss is not None]
    if held_out:
        losses = [one.loss for one in held_out]
        axes.plot(
            [one.step for one in held_out], losses, "o-", color="tab:orange", label="validation"
        )
    if best := [one for one in history.validations if one.is_best]:
        axes.axvline(best[-1].step, color="grey", linestyle="--", linewidth=1, label="best")


def _draw_similarity(axes: Any, history: TrainingHistory) -> None:
    measured = [one for one in history.validations if one.similarity is not None]
    if not measured:
        return
    right = axes.twinx()
    values = [one.similarity for one in measured]
    right.plot(
        [one.step for one in measured],
        values,
        "s-",
        color="tab:green",
        alpha=0.7,
        label="similarity of samples",
    )
    right.set_ylabel("similarity", color="tab:green")
