"""From an event to its clients: two hundred streams through the proxy, on one gateway."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context
from benchmarks.harness import Result, Target, quantiles
from db import url as database_url

_STREAMS = 200
_P99_MS = 100.0
_PER_SECOND = 5
# Of the first ones; connections and caches are warm then.
_WARM_UP = 5
_DATA: Final = re.compile(rb'^data: (\{.*"created_at":"([^"]+)"\})$', re.MULTILINE)


def run(context: Context) -> Result:
    """Open the streams, append events one by one, and read them in all of the streams."""
    events = context.times(150, 10)
    context.say(f"streams: {_STREAMS} open, {events} events")
    milliseconds = asyncio.run(_measure(context, events + _WARM_UP))
    return _result(events, milliseconds)


async def _measure(context: Context, events: int) -> list[float]:
    """Milliseconds of each event in each stream, from the append until the client has it."""
    platform = context.platform
    counters = [_Stream(events) for _ in range(_STREAMS)]
    # Some at a time: each is authenticated.
    for first in range(0, _STREAMS, 20):
        opened = counters[first : first + 20]
        await asyncio.gather(*(one.open(platform.base_url, platform.api_key) for one in opened))
    reading = [asyncio.create_task(one.read()) for one in counters]
    connection = await asyncpg.connect(
        **database_url.connect_arguments(database_url.parse(context.database_url))
    )
    try:
        organization: UUID = await connection.fetchval(
            "SELECT id FROM organizations ORDER BY created_at LIMIT 1"
        )
        for _ in range(events):
            await connection.execute(
                "SELECT append_event($1, 'shot.approved', 'bench', '{}')", organization
            )
            await asyncio.sleep(1 / _PER_SECOND)
        async with asyncio.timeout(30):
            await asyncio.gather(*reading)
    finally:
        await connection.close()
        for one in counters:
            one.close()
    return [sample for one in counters for sample in one.milliseconds[_WARM_UP:]]


class _Stream:
    """One client, which costs as little as it can: it shares two processors with the platform."""

    def __init__(self, events: int) -> None:
        self.milliseconds: list[float] = []
        self._events = events
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self, base_url: str, key: str) -> None:
        parts = urlsplit(base_url)
        assert parts.hostname is not None
        self._reader, self._writer = await asyncio.open_connection(parts.hostname, parts.port)
        self._writer.write(
            f"GET /compute/api/v1/events/stream?kind=shot.approved HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(head.decode())
        await self._reader.readuntil(b": connected")

    async def read(self) -> None:
        rest = b""
        while len(self.milliseconds) < self._events:
            data = await self._reader.read(65536)
            now = time.time()
            if not data:
                raise RuntimeError("the server closed a stream")
            rest += data
            end = 0
            for found in _DATA.finditer(rest):
                # One machine, one clock.
                appended = datetime.fromisoformat(found[2].decode()).timestamp()
                self.milliseconds.append((now - appended) * 1e3)
                end = found.end()
            rest = rest[end:]

    def close(self) -> None:
        self._writer.close()


def _result(events: int, milliseconds: list[float]) -> Result:
    latencies = quantiles(milliseconds)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, 1)
        axes.hist(milliseconds, bins=80, color=plots.PLATFORM)
        axes.axvline(_P99_MS, linestyle="--", color="black", linewidth=1)
        axes.set_xlabel("milliseconds from the append to the client (dashed: target of the p99)")
        axes.set_ylabel("events received")

    return Result(
        name="streams",
        title=f"Event to client with {_STREAMS} streams open: p99 {latencies['p99']:.0f} ms",
        method=(
            f"{_STREAMS} streams of GET /events/stream of one organization through the proxy, to "
            f"one gateway. {events} events are appended, {_PER_SECOND} a second, each in a "
            "transaction of its own; the time runs from the event's created_at, which is before "
            "the commit, until the client has read it. Client and platform share the processors."
        ),
        targets=[Target("event → client, 200 streams, p99", latencies["p99"], _P99_MS, "ms")],
        data={"milliseconds": latencies, "received": len(milliseconds)},
        draw=draw,
    )
