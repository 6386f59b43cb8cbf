"""Sections of the settings that say how the processes run; those of what they do stand in
:mod:`configs.settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A group of settings; a misspelt field is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LogSettings(Section):
    """What the processes write to their logs."""

    # Unset: text in development, JSON elsewhere.
    format: Literal["json", "text"] | None = None
    level: Literal["debug", "info", "warning", "error"] = "info"


class HttpSettings(Section):
    """Where the platform listens, and how clients reach it."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    # Base of every URL handed out. Unset: the scheme and host of the request being answered.
    public_url: str | None = None
    # The longest that a request may take, streams of events aside.
    request_seconds: float = Field(120.0, gt=0)


class DatabaseSettings(Section):
    """Connections of one process to Postgres; sizes are of each pool, for reads and for writes."""

    pool_size: int = Field(10, ge=1)
    # Connections beyond the pool are closed after each use, and opening one costs more than the
    # few milliseconds that a request waits for its turn.
    pool_overflow: int = Field(0, ge=0)
    pool_timeout_seconds: float = Field(10.0, gt=0)
    statement_timeout_seconds: float = Field(30.0, gt=0)


class RaySettings(Section):
    """Ports of one local platform. Two platforms on a machine differ in ``SARTIQ_HTTP_PORT`` alone:
    every other port is derived from it unless it is set."""

    dashboard_port: int | None = None
    temp_dir: Path | None = None
    num_cpus: float | None = None
