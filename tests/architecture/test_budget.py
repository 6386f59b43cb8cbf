"""Files of at most 400 lines, functions of at most 60: what is longer is split by meaning.

The allow-lists may only shrink: an entry that is no longer needed fails too. Figures are what the
file or function may have at most.
"""

from __future__ import annotations

from tests.architecture.sources import EVERYWHERE, sources

FILE_LINES = 400
FUNCTION_LINES = 60

LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}


def test_files_are_short() -> None:
    lengths = {s.path: s.lines for s in sources(EVERYWHERE) if "/versions/" not in s.path}
    assert_within(lengths, FILE_LINES, LONG_FILES)


def test_functions_are_short() -> None:
    lengths = {
        f"{source.path}::{function.name}": function.end_lineno - function.lineno + 1
        for source in sources(EVERYWHERE)
        for function in source.functions()
        if function.end_lineno is not None
    }
    assert_within(lengths, FUNCTION_LINES, LONG_FUNCTIONS)


def assert_within(lengths: dict[str, int], limit: int, allowed: dict[str, int]) -> None:
    over = {name: n for name, n in lengths.items() if n > allowed.get(name, limit)}
    assert not over, f"longer than {limit} lines: {over}"
    spent = {name for name in allowed if lengths.get(name, 0) <= limit}
    assert not spent, f"no longer too long, take them off the list: {spent}"
