from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks import plots
from benchmarks.harness import Result, Target, quantile, quantiles, summary
from benchmarks.machine import Machine

FAST = Target("fast enough", 10.0, 30.0, "ms")
SLOW = Target("many enough", 1.2, 1.5, "×", at_least=True)


def make_result() -> Result:
    return Result(
        name="example",
        title="An example",
        method="By hand.",
        targets=[FAST, SLOW],
        data={"samples": [0.123456789, 2.0]},
        draw=lambda figure: plots.columns(figure.subplots(), {"a": 1.0}, "ms", [plots.PLATFORM]),
    )


def test_a_target_is_met_on_its_own_side_and_at_the_limit() -> None:
    assert FAST.ok
    assert not SLOW.ok
    assert SLOW.miss == pytest.approx(0.2)
    assert Target("", 30.0, 30.0, "ms").ok
    assert Target("", 1.5, 1.5, "×", at_least=True).ok
    assert not Target("", 30.1, 30.0, "ms").ok


def test_quantiles_are_those_of_numpy() -> None:
    samples = np.random.default_rng(0).exponential(size=101).tolist()
    for name, value in quantiles(samples).items():
        assert value == pytest.approx(np.percentile(samples, float(name.removeprefix("p"))))


def test_quantiles_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        quantile([], 0.5)


def test_results_are_written_with_the_machine_and_the_verdicts(tmp_path: Path) -> None:
    report, plot = make_result().write(tmp_path, Machine.look(), {"quick": True})
    document = json.loads(report.read_text())
    assert [target["ok"] for target in document["targets"]] == [True, False]
    assert document["machine"]["cores"] >= 1
    assert document["machine"]["packages"]["torch"]
    assert document["data"]["samples"] == [0.123457, 2.0]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_table_says_what_was_missed_and_what_crashed() -> None:
    console = Console(width=140, file=io.StringIO())
    with console.capture() as captured:
        console.print(summary({"example": make_result(), "other": RuntimeError("no [server]")}))
    text = captured.get()
    assert "no, by 20%" in text
    assert "yes" in text
    assert "crashed" in text
    assert "no [server]" in text


def test_distributions_draw_a_line_for_each_side() -> None:
    axes = Figure().subplots()
    plots.distribution(axes, {"a": [1.0, 2.0], "b": [3.0]}, "ms")
    assert len(axes.get_lines()) == 2
