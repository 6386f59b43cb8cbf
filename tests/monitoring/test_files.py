"""Dashboards and alert rules: that they can be read, and name metrics of ours that are declared.

That those of Ray and of Serve exist is seen on a running platform: tests/e2e/test_telemetry.py.
"""

from __future__ import annotations

import json

import pytest
import yaml

from configs.settings import CHECKOUT
from telemetry.metrics import ALL, Counter, Gauge, Histogram
from tests.monitoring.promql import expressions, metrics

FOLDER = CHECKOUT / "configs" / "monitoring"
EXPRESSIONS = dict(expressions(FOLDER))

SUFFIXES = {Counter: ("_total",), Gauge: ("",), Histogram: ("_bucket", "_count", "_sum")}
EXPORTED = {f"ray_{metric.name}{suffix}" for metric in ALL for suffix in SUFFIXES[type(metric)]}


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_expressions_are_promql_of_known_metrics(where: str) -> None:
    named = metrics(EXPRESSIONS[where])
    assert named
    ours = {name for name in named if name.startswith("ray_sartiq_")}
    assert ours <= EXPORTED
    assert all(name.startswith("ray_") for name in named)


def test_what_is_not_promql_is_refused() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        metrics("sum(rate(")
    assert metrics("sum(a) / on() max(b_bucket{x='1'})") == {"a", "b_bucket"}


def test_the_alerts_worth_having_are_there() -> None:
    rules = [
        rule
        for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    assert {rule["alert"] for rule in rules} >= {
        *("SartiqErrors", "SartiqSlow", "SartiqBacklog", "SartiqGenerationFailures"),
        "SartiqDatabaseConnections",
    }
    for rule in rules:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]


def test_prometheus_reads_the_rules() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert all((FOLDER / name).exists() for name in config["rule_files"])


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    shown = {
        name for where, one in EXPRESSIONS.items() if "grafana" in where for name in metrics(one)
    }
    for metric in ALL:
        exported = {f"ray_{metric.name}{suffix}" for suffix in SUFFIXES[type(metric)]}
        assert exported & shown, metric.name


def test_metrics_are_declared_once() -> None:
    names = [metric.name for metric in ALL]
    assert len(set(names)) == len(names) > 10
