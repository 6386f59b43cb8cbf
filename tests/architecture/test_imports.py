"""Who may import whom, and what must not be loaded where."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.architecture.sources import CHECKOUT, sources

# What costs seconds to import or hundreds of megabytes to hold.
HEAVY = ("torch", "diffusers", "transformers", "peft", "onnxruntime", "rembg", "matplotlib")

IMPORT_EVERYTHING_LIGHT = """
import importlib, pkgutil, sys
import configs, db, serve_app
import deployments.contracts, deployments.errors, training.contracts, training.run
for package in (configs, db, serve_app):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        # These run when they are imported.
        if module.name.endswith(".__main__") or module.name.startswith("db.migrations"):
            continue
        importlib.import_module(module.name)
        loaded = sorted(set(sys.argv[1:]) & sys.modules.keys())
        if loaded:
            sys.exit(f"{module.name} loads {', '.join(loaded)}")
"""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, cwd=CHECKOUT, capture_output=True, text=True)


def test_the_rooms_keep_to_their_contracts() -> None:
    done = run(Path(sys.executable).with_name("lint-imports"))
    assert done.returncode == 0, done.stdout


def test_processes_that_serve_http_load_nothing_heavy() -> None:
    done = run(sys.executable, "-c", IMPORT_EVERYTHING_LIGHT, *HEAVY)
    assert done.returncode == 0, done.stderr


def test_the_command_line_starts_without_its_commands() -> None:
    late = ("ray", "sqlalchemy", "alembic", "fastapi", "PIL", *HEAVY)
    program = "import sys, serve_app.__main__; print(*(set(sys.argv[1:]) & sys.modules.keys()))"
    done = run(sys.executable, "-c", program, *late)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_library_code_does_not_print() -> None:
    printing = [
        f"{source.path}:{node.lineno}"
        for source in sources(("configs", "db", "deployments", "serve_app"))
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not printing, "use a logger, or the console of the command line"
