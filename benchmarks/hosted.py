"""What a hosted task costs over the bare SDK call, and what many that wait cost."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import psutil
from matplotlib.figure import Figure
from pydantic import SecretStr

from benchmarks import plots
from benchmarks.context import Context
from benchmarks.harness import Result, Target
from configs.settings import ProviderSettings, QueueSettings, Settings
from db.embedded import EmbeddedPostgres
from db.repositories.queue import TaskQueue
from db.repositories.scope import OrganizationScope
from db.repositories.tasks import TaskRepository
from serve_app.compute.runner.runner import Runner
from serve_app.core import orders
from serve_app.core.resources import Resources, open_resources

OVERHEAD_MS = 60.0
WAITING = 100
MEMORY_MB = 150.0
# Of the stand-in for the provider, per call; and while many wait.
_CALL_SECONDS, _WAIT_SECONDS = 0.2, 8.0
_MODEL = "claude-haiku-4-5"
_EVENTS = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message",'
    b'"role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":null,'
    b'"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"a red dress"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
    b'"stop_sequence":null},"usage":{"output_tokens":4}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


class _StandIn:
    """Answers each request of the Messages API after some seconds."""

    def __init__(self) -> None:
        self.seconds = _CALL_SECONDS
        self.waiting = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Connection: close\r\n\r\n" + _EVENTS[0])
        self.waiting += 1
        await asyncio.sleep(self.seconds)
        self.waiting -= 1
        writer.write(_EVENTS[1])
        await writer.drain()
        writer.close()


class _Slots:
    """Capacity of a queue that the runner serves itself, without Ray."""

    def capacity(self, queue: str) -> int:
        del queue
        return 2 * WAITING

    def for_newcomers(self, queue: str) -> int:
        del queue
        return 0

    def look_soon(self) -> None:
        pass

    async def run(self, is_waited_for: Callable[[], bool]) -> None:
        del is_waited_for
        await asyncio.Event().wait()


@asynccontextmanager
async def _platform(url: str, home: Path) -> AsyncIterator[tuple[Resources, _StandIn]]:
    """Resources of a process that has a key, and who answers in the provider's place."""
    stand_in = _StandIn()
    server = await asyncio.start_server(stand_in.serve, "127.0.0.1", 0, backlog=256)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(
        environment="test",
        home=home,
        database_url=SecretStr(url),
        anthropic_api_key=SecretStr("a-key"),
        claude=ProviderSettings(base_url=f"http://127.0.0.1:{port}", slots=2 * WAITING),
        queue=QueueSettings(),
    )
    async with server, open_resources(settings, gpu=False) as resources:
        watch: Any = _Slots()
        runner = Runner("bench", resources, {"claude": None}, lambda _: watch)
        await runner.start()
        yield resources, stand_in
        await runner.drain()


async def _hosted(resources: Resources, count: int = 1) -> float:
    """Seconds from the commit of so many tasks to the end of the last one."""
    scope = OrganizationScope(resources.default_organization)
    config = {"operation": "prompt", "prompt": "What is this?", "max_tokens": 100}
    settled = orders.settle_question(resources, config, _refuse)
    new = [orders.question(settled) for _ in range(count)]
    async with resources.database.write() as session:
        await TaskQueue(session).enqueue_many(scope, new)
    started = time.perf_counter()
    for task in new:
        while True:
            async with resources.database.read() as session:
                found = await TaskRepository(session, scope).get(task.id)
            assert found is not None
            if found.status.is_final:
                assert found.output is not None, found.error
                break
            await asyncio.sleep(0.002)
    return time.perf_counter() - started


def _refuse(field: str, reason: str) -> Any:
    return ValueError(f"{field}: {reason}")


async def _bare(client: anthropic.AsyncAnthropic) -> float:
    started = time.perf_counter()
    async with client.messages.stream(
        model=_MODEL, max_tokens=100, messages=[{"role": "user", "content": "What is this?"}]
    ) as stream:
        await stream.get_final_message()
    return time.perf_counter() - started


async def _waiting(resources: Resources, stand_in: _StandIn) -> dict[str, float]:
    """Memory and threads of the process while many tasks wait for their provider."""
    process = psutil.Process()
    before = process.memory_info().rss
    threads = threading.active_count()
    stand_in.seconds = _WAIT_SECONDS
    waiting = asyncio.create_task(_hosted(resources, WAITING))
    most, at_once, most_threads = before, 0, threads
    while not waiting.done():
        most = max(most, process.memory_info().rss)
        at_once = max(at_once, stand_in.waiting)
        most_threads = max(most_threads, threading.active_count())
        await asyncio.sleep(0.05)
    await waiting
    return {
        "at_once": at_once,
        "more_mb": (most - before) / 1e6,
        "more_threads": most_threads - threads,
    }


async def measure(url: str, home: Path, times: int) -> dict[str, Any]:
    """Bare calls and tasks in turn, then many tasks at once."""
    async with _platform(url, home) as (resources, stand_in):
        base_url = resources.settings.claude.base_url
        client = anthropic.AsyncAnthropic(api_key="a-key", base_url=base_url, max_retries=0)
        for _ in range(3):
            await _bare(client)
            await _hosted(resources)
        pairs = [(await _bare(client), await _hosted(resources)) for _ in range(times)]
        await client.close()
        bare, hosted = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
        waiting = await _waiting(resources, stand_in)
    return {"times": times, "bare_ms": bare, "hosted_ms": hosted, "waiting": waiting}


def run(context: Context) -> Result:
    """On a Postgres of its own, with a stand-in for the provider; the platform need not run."""
    home = Path(tempfile.mkdtemp(prefix="sartiq-bench-"))
    home.chmod(0o755)
    server = EmbeddedPostgres(home)
    try:
        measured = asyncio.run(measure(server.start(), home, context.times(40, 5)))
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    overhead, waiting = measured["hosted_ms"] - measured["bare_ms"], measured["waiting"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        values = {"SDK alone": measured["bare_ms"], "as a task": measured["hosted_ms"]}
        plots.columns(axes, values, "ms", (plots.OTHER, plots.PLATFORM))
        axes.set_title("one call, median")
        plots.limit(axes, measured["bare_ms"] + OVERHEAD_MS, "target")

    return Result(
        name="hosted",
        title="Cost of a hosted task over the bare SDK call",
        method=(
            f"A stand-in that speaks the Messages API answers after {_CALL_SECONDS:g} s. The "
            "official client asks it, and a task of one runner, in turn; a task is timed from its "
            f"commit until it is completed in the database. Then {WAITING} tasks at once wait "
            f"{_WAIT_SECONDS:g} s for their answers, and the memory of the runner's process is "
            "looked at, which is that of the stand-in as well."
        ),
        targets=[
            Target(f"overhead of a hosted task ≤ {OVERHEAD_MS:g} ms", overhead, OVERHEAD_MS, "ms"),
            Target(
                f"memory of {WAITING} hosted tasks that wait ≤ {MEMORY_MB:g} MB",
                waiting["more_mb"],
                MEMORY_MB,
                "MB",
            ),
            Target("threads more than before ≤ 20", waiting["more_threads"], 20, "threads"),
        ],
        data=measured,
        draw=draw,
    )
