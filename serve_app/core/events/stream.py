"""Server-sent events (WHATWG HTML, 9.2): the log as a stream, taken up again at any place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import orjson
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from configs.settings import EventSettings
from db.errors import is_transient
from db.models import EventKind, Task
from serve_app.core.changes import Changes
from serve_app.core.errors import SartiqError
from serve_app.core.events.feed import Feed
from serve_app.core.signals import Latest, Signal

logger = logging.getLogger(__name__)

_RETRY_MILLISECONDS = 1000
# Caches must not keep it, and proxies must hand each event on at once.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_ENDS = frozenset({EventKind.TASK_COMPLETED, EventKind.TASK_FAILED, EventKind.TASK_CANCELLED})


class EventStreamResponse(StreamingResponse):
    """Blocks of a stream as they are. (FastAPI's own class would encode each event again for each
    client.)"""

    media_type = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Stream:
    """One client's stream.

    Attributes:
        feed: of its organization.
        settings: of heartbeats, and of how long it may last.
        check: raises when the client may not see it any more; asked at every heartbeat.
        after: ``seq`` of the last event that the client has.
        kinds: of the events it wants; empty for all.
        task: that it is about; it ends with it, and shows its signals.
    """

    feed: Feed
    settings: EventSettings
    check: Callable[[], Awaitable[object]]
    after: int
    kinds: Collection[str] = ()
    task: Task | None = None

    def response(self, changes: Changes) -> EventStreamResponse:
        """The answer that sends it."""
        return EventStreamResponse(self._chunks(changes), headers=_HEADERS)

    async def _chunks(self, changes: Changes) -> AsyncIterator[bytes]:
        changed = asyncio.Event()
        latest = Latest(changed)
        # The first bytes leave at once: a client knows then that it is connected.
        yield format_sse_event(retry=_RETRY_MILLISECONDS, comment="connected")
        with ExitStack() as stack:
            stack.enter_context(self.feed.waking(changed))
            if self.task is not None:
                latest.put(_progress(self.task))
                stack.enter_context(changes.signals(self.task.id, latest))
            try:
                async for chunk in self._follow(changed, latest):
                    yield chunk
            except Exception as error:
                if not is_transient(error):
                    raise
                # Half of it is out: the client comes again, to a place in the log that it knows.
                logger.warning("a stream of events ends: %s", error)

    async def _follow(self, changed: asyncio.Event, latest: Latest) -> AsyncIterator[bytes]:
        subject_id = None if self.task is None else self.task.id
        clock = asyncio.get_running_loop().time
        place, ends_at = self.after, clock() + self.settings.stream_seconds
        beats_at = clock() + self.settings.heartbeat_seconds
        while (now := clock()) < ends_at and not self.feed.is_ending:
            changed.clear()
            entries, place = await self.feed.after(place, kinds=self.kinds, subject_id=subject_id)
            chunks = [*map(_wire, latest.take()), *(entry.wire for entry in entries)]
            if chunks:
                yield b"".join(chunks)
            if subject_id is not None and any(entry.kind in _ENDS for entry in entries):
                return
            if now >= beats_at:
                if not await self._is_allowed():
                    return
                beats_at = now + self.settings.heartbeat_seconds
                # With the place in the log: who sees few events need not look for it again.
                yield format_sse_event(comment="heartbeat", id=str(place))
            if place < self.feed.last_seq:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(min(beats_at, ends_at) - now):
                    await changed.wait()

    async def _is_allowed(self) -> bool:
        try:
            await self.check()
        except SartiqError:
            return False
        except Exception as error:
            # While the database is away there is nothing to see either.
            if not is_transient(error):
                raise
        return True


def _wire(signal: Signal) -> bytes:
    data = orjson.dumps({"task_id": signal.task_id, **signal.data}).decode()
    return format_sse_event(data_str=data, event=f"task.{signal.event}")


def _progress(task: Task) -> Signal:
    return Signal(task_id=task.id, event="progress", data={"progress": task.progress})
