"""What is being worked on here: the request and the task that log lines and traces are about.

It is set where work comes in and read where something is told of it. With a task it is stored
(`origin`), so that the trail of a request leads on to the processes where its work is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import propagate
from opentelemetry.context import Context

_FIELDS: Final[ContextVar[Mapping[str, str]]] = ContextVar("sartiq_fields", default={})  # noqa: B039 - never changed in place


def fields() -> Mapping[str, str]:
    """``request_id``, ``organization`` and ``task_id``, as far as they are known."""
    return _FIELDS.get()


def add(**values: str) -> None:
    """From here on, and in what is started from here, these are known as well."""
    _FIELDS.set({**_FIELDS.get(), **values})


@contextmanager
def known(**values: str | None) -> Iterator[None]:
    """Within the block these are known, and nothing else; None is unknown."""
    token = _FIELDS.set({name: value for name, value in values.items() if value is not None})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def origin() -> dict[str, str] | None:
    """What to keep with work that is done elsewhere: ``request_id``, and ``traceparent`` (W3C) of
    the present span; None if there is nothing."""
    kept: dict[str, str] = {}
    propagate.inject(kept)
    if (request_id := _FIELDS.get().get("request_id")) is not None:
        kept["request_id"] = request_id
    return kept or None


def parent(kept: Mapping[str, str] | None) -> Context:
    """The span that :func:`origin` was called in, for spans that follow from it."""
    return propagate.extract(kept or {}, Context())
