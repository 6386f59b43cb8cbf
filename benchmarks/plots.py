"""Drawing that the plots share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

PLATFORM = "#2a6f97"
OTHER = "#a9b4bd"
DRAWN = "#52796f"
LIMIT = "#c1121f"


def columns(axes: Axes, values: Mapping[str, float], unit: str, colours: Sequence[str]) -> None:
    """Vertical bars with their values written on them."""
    bars = axes.bar(list(values), list(values.values()), color=list(colours), width=0.6)
    axes.bar_label(bars, fmt=lambda value: f"{value:,.4g} {unit}", padding=3)
    axes.set_ylabel(unit)
    axes.margins(y=0.15)
    tidy(axes)


def distribution(axes: Axes, samples: Mapping[str, Sequence[float]], unit: str) -> None:
    """Cumulative distributions: what share of the samples is at most so much."""
    colours = (PLATFORM, OTHER, DRAWN)
    for (name, values), colour in zip(samples.items(), colours, strict=False):
        axes.ecdf(values, label=name, color=colour, linewidth=2)
    axes.set_xlabel(unit)
    axes.set_ylabel("share of samples")
    axes.legend(loc="lower right", frameon=False)
    tidy(axes)


def limit(axes: Axes, value: float, label: str, *, vertical: bool = False) -> None:
    """A dashed line that the numbers must stay on one side of."""
    draw = axes.axvline if vertical else axes.axhline
    draw(value, color=LIMIT, linestyle="--", linewidth=1.3, label=label)
    axes.legend(frameon=False)


def tidy(axes: Axes) -> None:
    """No frame where it says nothing, a light grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
