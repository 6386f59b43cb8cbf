"""Every error of ours crosses a process boundary whole: same class, same text, same arguments."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator

import pytest

import configs
import db
import serve_app
from deployments.errors import DeploymentError
from serve_app.core.datasets import Problem
from serve_app.core.errors import SartiqError
from training.contracts import TrainingError

# Modules that run when they are imported.
_RUNNING = ("db.migrations.", "serve_app.__main__")


def _modules() -> Iterator[str]:
    # The other modules there load torch; errors that cross to another process all stand in these.
    yield "deployments.errors"
    yield "training.contracts"
    for package in (configs, db, serve_app):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(_RUNNING):
                yield module.name


def _errors() -> list[type[Exception]]:
    found = {
        value
        for name in _modules()
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == name
    }
    return sorted(found, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


def _make(kind: type[Exception]) -> Exception:
    """An error with every argument given, by the types that its constructor names."""
    samples = {
        "str": "went wrong",
        "int": 7,
        "float": 7.0,
        "Sequence[Problem]": (Problem("a.png", "it is damaged"),),
        "Sequence": ("body", "steps"),
    }
    given: list[object] = []
    for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            break
        annotation = str(parameter.annotation)
        sample = next((samples[name] for name in samples if annotation.startswith(name)), None)
        assert sample is not None, f"{kind.__name__}: no sample for {parameter}"
        given.append(sample)
    return kind(*(given or ["went wrong"]))


@pytest.mark.parametrize("kind", _errors(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_an_error_pickles_and_keeps_its_text(kind: type[Exception]) -> None:
    error = _make(kind)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert str(error).strip()
    assert copy.args == error.args
    assert vars(copy) == vars(error)


def test_codes_of_errors_are_unique_within_their_tree() -> None:
    for root in (SartiqError, DeploymentError, TrainingError):
        kinds = [kind for kind in _errors() if issubclass(kind, root)]
        assert len(kinds) > 3
        unnamed = [kind for kind in kinds if kind is not root and kind.code == root.code]
        assert not unnamed, f"without a code of their own: {unnamed}"
