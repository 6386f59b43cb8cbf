"""The project's own Python files, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LIBRARY = ("configs", "db", "deployments", "serve_app", "telemetry", "training")
EVERYWHERE = (*LIBRARY, "benchmarks", "tests")


@dataclass(frozen=True)
class Source:
    """One file: its path from the checkout on, its length, and its syntax tree."""

    path: str
    lines: int
    tree: ast.Module

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@lru_cache
def sources(rooms: tuple[str, ...]) -> list[Source]:
    return [
        Source(str(path.relative_to(CHECKOUT)), text.count("\n"), ast.parse(text))
        for room in rooms
        for path in sorted((CHECKOUT / room).rglob("*.py"))
        for text in [path.read_text()]
    ]
