"""A load generator: keep-alive connections in a closed loop, in a process of its own.

It writes one prepared request and reads the answer with llhttp (``httptools``), so that it costs
far less than any server that it is pointed at; :mod:`benchmarks.reads` measures by how much.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self, cast
from urllib.parse import urlsplit

import httptools
import uvloop

_GRACE_SECONDS = 60.0


class LoadError(RuntimeError):
    """The server did not answer every request with 200; the text says what it did."""


@dataclass(frozen=True, slots=True)
class Load:
    """``connections`` clients that each ask for ``url`` again as soon as they have an answer.

    Answers count from ``warm_up`` seconds after the start on, for ``seconds``.
    """

    url: str
    token: str = field(repr=False)
    connections: int = 16
    seconds: float = 3.0
    warm_up: float = 0.5

    def run(self) -> Measured:
        """Run it in a child process.

        Raises:
            LoadError: a connection broke, an answer was not a 200, or none came in time.
        """
        # By stdin: a command line, and with it the token, could be read by anyone.
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.load"],
            input=json.dumps(asdict(self)),
            capture_output=True,
            text=True,
            timeout=self.seconds + self.warm_up + _GRACE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise LoadError(done.stderr.strip().rpartition("\n")[2])
        return Measured(**json.loads(done.stdout))

    @property
    def request(self) -> bytes:
        """The bytes of one request."""
        parts = urlsplit(self.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        return (
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {self.token}\r\nAccept: */*\r\n\r\n"
        ).encode()


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load met with.

    Attributes:
        seconds: over which answers were counted.
        milliseconds: that each answer took.
        busy: share of one processor that the generator itself used.
    """

    seconds: float
    milliseconds: list[float]
    busy: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.milliseconds) / self.seconds


class _Run:
    """All connections of one load."""

    def __init__(self, load: Load) -> None:
        self.request = load.request
        self.counts_from = time.perf_counter() + load.warm_up
        self.until = self.counts_from + load.seconds
        self.milliseconds: list[float] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, reason: str) -> None:
        if not self.failed.done():
            self.failed.set_exception(LoadError(reason))


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, load: Load, run: _Run) -> Self:
        parts = urlsplit(load.url)
        assert parts.hostname is not None
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: cls(run), parts.hostname, parts.port or 80
        )
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer."""
        now = time.perf_counter()
        status = self._parser.get_status_code()
        if status != 200:
            self._run.fail(f"HTTP {status}")
        if now >= self._run.until:
            self._finish()
            return
        if self._sent >= self._run.counts_from:
            self._run.milliseconds.append((now - self._sent) * 1e3)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self._run.fail(f"the server closed a connection ({error or 'no error'})")
            self._finish()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._run.request)

    def _finish(self) -> None:
        self.done.set_result(None)
        self._transport.close()


async def _generate(load: Load) -> Measured:
    run = _Run(load)
    connections = [await _Connection.open(load, run) for _ in range(load.connections)]
    for connection in connections:
        await asyncio.wait([connection.done, run.failed], return_when=asyncio.FIRST_COMPLETED)
        if run.failed.done():
            run.failed.result()
    if not run.milliseconds:
        raise LoadError(f"no request was answered within {load.seconds:g} s")
    return Measured(load.seconds, run.milliseconds, busy=0.0)


def _main() -> Mapping[str, Any]:
    load = Load(**json.load(sys.stdin))
    began, cpu = time.perf_counter(), _processor_seconds()
    measured = uvloop.run(_generate(load))
    busy = (_processor_seconds() - cpu) / (time.perf_counter() - began)
    milliseconds = [round(value, 3) for value in measured.milliseconds]
    return asdict(measured) | {"milliseconds": milliseconds, "busy": busy}


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    json.dump(_main(), sys.stdout)
