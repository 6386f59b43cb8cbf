"""What a benchmark hands back, and how it is written down: JSON, a plot, a table."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from benchmarks.machine import Machine

_QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 100)


@dataclass(frozen=True, slots=True)
class Target:
    """One claim: ``measured`` is at most ``limit``, or at least, in ``unit``."""

    claim: str
    measured: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the claim holds."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def miss(self) -> float:
        """By how much it does not, as a fraction of the limit; 0 when it holds."""
        return 0.0 if self.ok else abs(self.measured - self.limit) / self.limit

    def as_json(self) -> dict[str, Any]:
        """With the verdict, for readers who do not compare numbers."""
        return {
            "claim": self.claim,
            "measured": round(self.measured, 4),
            "limit": round(self.limit, 4),
            "unit": self.unit,
            "direction": "at least" if self.at_least else "at most",
            "ok": self.ok,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of one benchmark.

    Attributes:
        name: of its module and of its files.
        title: of its plot.
        method: how it was measured, in a few sentences.
        targets: what is claimed.
        data: samples and everything else that a reader may want to check, as JSON.
        draw: draws the plot.
    """

    name: str
    title: str
    method: str
    targets: Sequence[Target]
    data: Mapping[str, Any]
    draw: Callable[[Figure], None]

    def write(self, folder: Path, machine: Machine, run: Mapping[str, Any]) -> list[Path]:
        """Write ``<name>.json`` and ``<name>.png`` into a folder.

        Args:
            folder: made when it is missing.
            machine: that it was measured on.
            run: how the benchmarks were called: model, quick or not.
        """
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "benchmark": self.name,
            "title": self.title,
            "method": self.method,
            "run": dict(run),
            "machine": machine.as_json(),
            "targets": [target.as_json() for target in self.targets],
            "data": _rounded(self.data),
        }
        report = folder / f"{self.name}.json"
        report.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        self.draw(figure)
        figure.suptitle(self.title, fontsize=12, fontweight="bold")
        plot = folder / f"{self.name}.png"
        figure.savefig(plot, dpi=130)
        return [report, plot]


def quantiles(samples: Sequence[float]) -> dict[str, float]:
    """Quantiles by name (``p50``, ``p99``, …, ``p100``), interpolated between samples."""
    ordered = sorted(samples)
    return {f"p{q:g}": quantile(ordered, q / 100) for q in _QUANTILES}


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """One quantile of sorted samples, linear between neighbours (as numpy's default)."""
    if not ordered:
        raise ValueError("there are no samples")
    position = fraction * (len(ordered) - 1)
    below, above = math.floor(position), math.ceil(position)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median(samples: Sequence[float]) -> float:
    """The middle of the samples."""
    return statistics.median(samples)


def summary(outcomes: Mapping[str, Result | Exception]) -> Table:
    """The table at the end: one line per claim."""
    table = Table(title="Benchmarks", title_justify="left", header_style="bold")
    for column, justify in (
        ("benchmark", "left"),
        ("claim", "left"),
        ("target", "right"),
        ("measured", "right"),
        ("ok", "left"),
    ):
        # "left" and "right" are what rich calls them.
        table.add_column(column, justify="right" if justify == "right" else "left")
    for name, outcome in outcomes.items():
        if isinstance(outcome, Exception):
            words = escape(f"{type(outcome).__name__}: {outcome}")
            table.add_row(name, words, "", "", "[red]crashed[/]")
            continue
        for target in outcome.targets:
            table.add_row(name, *_row(target))
    return table


def _row(target: Target) -> tuple[str, str, str, str]:
    sign = "≥" if target.at_least else "≤"
    verdict = "[green]yes[/]" if target.ok else f"[red]no, by {target.miss:.0%}[/]"
    return (
        target.claim,
        f"{sign} {_number(target.limit)} {target.unit}".rstrip(),
        f"{_number(target.measured)} {target.unit}".rstrip(),
        verdict,
    )


def _number(value: float) -> str:
    """Three significant digits, and no exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def _rounded(value: Any) -> Any:
    """Numbers without the digits that no clock measures."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
