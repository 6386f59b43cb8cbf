"""The newest events of an organization, read once for all streams that show them.

A stream holds nothing but its place in the log. What is recent it takes from memory, what is older
from the database, so a client that reads slowly costs no memory and holds nobody up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Self

from fastapi.sse import format_sse_event
from sqlalchemy.exc import SQLAlchemyError

from configs.settings import EventSettings
from db.errors import DatabaseUnavailable
from db.models import Event
from db.repositories.events import EventRepository
from db.repositories.scope import OrganizationScope
from db.session import Database
from serve_app.core.changes import Changes
from serve_app.core.errors import TooManyRequests
from serve_app.core.events.schemas import EventRead

logger = logging.getLogger(__name__)

# Events of an organization in memory, and read at once.
_RECENT = 256
# Should a notification be missed, this is how late the event is seen.
_LOOK_AGAIN_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_FULL_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, and how it stands in a stream."""

    seq: int
    kind: str
    subject_id: str
    wire: bytes

    @classmethod
    def of(cls, event: Event) -> Self:
        """The entry of a row."""
        data = EventRead.model_validate(event).model_dump_json()
        wire = format_sse_event(data_str=data, event=event.kind, id=str(event.seq))
        return cls(event.seq, event.kind, event.subject_id, wire)

    def fits(self, kinds: Collection[str], subject_id: str | None) -> bool:
        """Whether it is what a stream shows; empty and None ask for nothing."""
        return (not kinds or self.kind in kinds) and subject_id in {None, self.subject_id}


class TooManyStreams(TooManyRequests):
    """As many event streams are open as there may be."""

    code = "too_many_streams"

    def __init__(self, retry_after: int, detail: str = "Too many event streams are open") -> None:
        super().__init__(retry_after, detail)


class Feed:
    """The events of one organization, as long as a stream shows them; made by :class:`Feeds`.

    Attributes:
        last_seq: up to where they have been read.
        streams: that show them.
        is_ending: whether those shall end now.
        ready: done when the end of the log is known.
        runner: reads what is new, for ever.
    """

    def __init__(self, database: Database, changes: Changes, scope: OrganizationScope) -> None:
        self.last_seq = 0
        self.streams = 0
        self.is_ending = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._database = database
        self._scope = scope
        self._recent: deque[Entry] = deque(maxlen=_RECENT)
        self._wakened: set[asyncio.Event] = set()
        name = f"events of {scope.organization_id}"
        self.runner = asyncio.create_task(self._run(changes), name=name)

    async def _run(self, changes: Changes) -> None:
        changed = asyncio.Event()
        # Before the end of the log is looked for, so that nothing falls between.
        with changes.waking(str(self._scope.organization_id), changed):
            try:
                async with self._database.read() as session:
                    self.last_seq = await EventRepository(session, self._scope).last_seq()
            except Exception as error:  # noqa: BLE001 - whoever waits for it is told
                self.ready.set_exception(error)
                return
            self.ready.set_result(None)
            await self._follow(changed)

    async def _follow(self, changed: asyncio.Event) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                    await changed.wait()
            changed.clear()
            try:
                await self._read()
            except (SQLAlchemyError, DatabaseUnavailable, OSError) as error:
                logger.warning("reading events: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                changed.set()

    @contextmanager
    def waking(self, changed: asyncio.Event) -> Iterator[None]:
        """Set ``changed`` whenever there are more events."""
        self._wakened.add(changed)
        try:
            yield
        finally:
            self._wakened.discard(changed)

    def end(self) -> None:
        """End the streams that show it."""
        self.is_ending = True
        for changed in self._wakened:
            changed.set()

    async def after(
        self, seq: int, *, kinds: Collection[str] = (), subject_id: str | None = None
    ) -> tuple[list[Entry], int]:
        """The next events, in order, some hundred at most, and the place in the log after them.

        Args:
            seq: the place before them.
            kinds: of the events to find; empty for all.
            subject_id: that they are about.
        """
        end = self.last_seq
        if seq >= end:
            return [], seq
        oldest = self._recent[0].seq if self._recent else end + 1
        if seq >= oldest - 1:
            entries = islice(self._recent, seq - oldest + 1, None)
            return [one for one in entries if one.fits(kinds, subject_id)], end
        async with self._database.read() as session:
            events = await EventRepository(session, self._scope).after(
                seq, limit=_RECENT, kinds=kinds, subject_id=subject_id, until=end
            )
        place = events[-1].seq if len(events) == _RECENT else end
        return [Entry.of(event) for event in events], place

    async def _read(self) -> None:
        while True:
            async with self._database.read() as session:
                log = EventRepository(session, self._scope)
                events = await log.after(self.last_seq, limit=_RECENT)
            if events:
                self._recent.extend(map(Entry.of, events))
                self.last_seq = events[-1].seq
                for changed in self._wakened:
                    changed.set()
            if len(events) < _RECENT:
                return


class Feeds:
    """The feeds of one process, and how many streams they have.

    Args:
        database, changes: of the process.
        settings: how many streams there may be.
    """

    def __init__(self, database: Database, changes: Changes, settings: EventSettings) -> None:
        self._database = database
        self._changes = changes
        self._settings = settings
        self._feeds: dict[OrganizationScope, Feed] = {}
        self._is_ending = False

    def end(self) -> None:
        """End all streams, and those that still come here: their clients go on elsewhere."""
        self._is_ending = True
        for feed in self._feeds.values():
            feed.end()

    @asynccontextmanager
    async def open(self, scope: OrganizationScope) -> AsyncIterator[Feed]:
        """The feed of an organization, for one stream.

        Raises:
            TooManyStreams: there are as many as there may be.
        """
        feed = self._feeds.get(scope)
        own = 0 if feed is None else feed.streams
        streams = sum(one.streams for one in self._feeds.values())
        if streams >= self._settings.streams or own >= self._settings.streams_per_organization:
            raise TooManyStreams(_FULL_RETRY_SECONDS)
        if feed is None:
            feed = self._feeds[scope] = Feed(self._database, self._changes, scope)
            feed.is_ending = self._is_ending
        feed.streams += 1
        try:
            await asyncio.shield(feed.ready)
            yield feed
        finally:
            feed.streams -= 1
            if feed.streams == 0:
                del self._feeds[scope]
                feed.runner.cancel()
