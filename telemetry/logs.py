"""Log lines on standard error, which Ray keeps in one file for each process.

As JSON, one object a line: ``time``, ``level``, ``logger``, ``message``, ``process`` (gateway,
runner or the deployment), what `telemetry.context` knows, and what the line itself adds.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

from telemetry.context import fields

Format = Literal["json", "text"]
_OURS: Final = ("configs", "db", "deployments", "serve_app", "telemetry", "training")


def configure_logs(form: Format, level: str, process: str) -> None:
    """Set up logging in this process.

    Args:
        form: of the lines.
        level: the least that our own modules write; others write warnings.
        process: its name in the lines.
    """
    # Serve puts its own logger in the place of `sys.stderr`.
    handler = logging.StreamHandler(sys.__stderr__ or sys.stderr)
    handler.setFormatter(JsonLines(process) if form == "json" else TextLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())


def log(logger: logging.Logger, level: int, message: str, **values: Any) -> None:
    """A line with fields of its own; those that are None are left out."""
    if logger.isEnabledFor(level):
        known = {name: value for name, value in values.items() if value is not None}
        logger.log(level, message, extra={"fields": known})


class JsonLines(logging.Formatter):
    """One JSON object for each record."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        content = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": self._process,
            **_fields(record),
        }
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(content, default=str).decode()


class TextLines(logging.Formatter):
    """For people: time, level, process, message, fields."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end; a traceback follows on lines of its own."""
        values = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        head = f"{_time(record)} {record.levelname:<7} {self._process} {record.name}"
        line = f"{head}: {record.getMessage()} {values}".rstrip()
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _time(record: logging.LogRecord) -> str:
    written = datetime.fromtimestamp(record.created, UTC)
    return written.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    own: Mapping[str, Any] = getattr(record, "fields", {})
    return {**fields(), **own}
