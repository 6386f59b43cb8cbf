"""Only configs/ reads the environment: elsewhere a setting is a typed argument."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.sources import LIBRARY, Source, sources

# File to reason.
ALLOWED = {
    "serve_app/platform/__init__.py": "hands the environment on to a child process",
    "serve_app/platform/supervisor.py": "Ray takes its settings from the environment",
    "training/pretraining/workspace.py": "a work folder beside the installation's state",
}


def test_only_configs_touches_the_environment() -> None:
    found = {
        source.path: sorted(set(_touches(source)))
        for source in sources(LIBRARY)
        if not source.path.startswith("configs/") and any(_touches(source))
    }
    assert not found.keys() - ALLOWED.keys(), found
    assert not ALLOWED.keys() - found.keys(), "take files that no longer need it off the list"


def _touches(source: Source) -> Iterator[int]:
    """Lines that name the environment of the process."""
    names = {"environ", "environb", "getenv", "putenv"}
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=attribute) if attribute in names:
                yield node.lineno
            case ast.ImportFrom(module="os", names=imported):
                if names & {alias.name for alias in imported}:
                    yield node.lineno
