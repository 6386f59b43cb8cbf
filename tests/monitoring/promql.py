"""The metrics that dashboards and alert rules name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml


def expressions(folder: Path) -> Iterator[tuple[str, str]]:
    """Where each expression stands, and the expression."""
    for file in sorted(folder.glob("*.json")):
        for panel in _panels(json.loads(file.read_text())["panels"]):
            for target in panel.get("targets", ()):
                yield f"{file.name}: {panel['title']}", target["expr"]
    for file in sorted(folder.glob("*.yml")):
        for group in yaml.safe_load(file.read_text()).get("groups", ()):
            for rule in group["rules"]:
                yield f"{file.name}: {rule.get('alert') or rule.get('record')}", rule["expr"]


def metrics_of(folder: Path) -> set[str]:
    return {name for _, expression in expressions(folder) for name in metrics(expression)}


def metrics(expression: str) -> set[str]:
    """Names of the metrics of an expression, from its syntax tree.

    Raises:
        ValueError: it is not PromQL.
    """
    # Grafana fills its variables in; any duration will do here.
    filled = re.sub(r"\$__rate_interval|\$__interval", "1m", expression)
    return set(_names(promql_parser.parse(filled)))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name
    elif isinstance(node, promql_parser.MatrixSelector):
        yield from _names(node.vector_selector)
    for part in ("expr", "lhs", "rhs", "param"):
        if (inner := getattr(node, part, None)) is not None:
            yield from _names(inner)
    for inner in getattr(node, "args", None) or ():
        yield from _names(inner)


def _panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", []))
