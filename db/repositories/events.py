"""The event log of one organization."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from db.models import Event, EventCursor, EventKind
from db.repositories.scope import OrganizationScope
from db.session import ReadSession, WriteSession


class EventRepository:
    """Reads the log from any cursor. The events of tasks are appended by the database itself."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def after(
        self,
        seq: int,
        *,
        limit: int = 100,
        subject_id: str | None = None,
        kinds: Collection[str] = (),
        until: int | None = None,
    ) -> Sequence[Event]:
        """Events after ``seq`` (0: from the beginning) in order, up to ``until``; optionally those
        about one subject, or of some kinds."""
        query = select(Event).where(
            Event.organization_id == self._scope.organization_id, Event.seq > seq
        )
        if subject_id is not None:
            query = query.where(Event.subject_id == subject_id)
        if kinds:
            query = query.where(Event.kind.in_(kinds))
        if until is not None:
            query = query.where(Event.seq <= until)
        return (await self._session.scalars(query.order_by(Event.seq).limit(limit))).all()

    async def last_seq(self) -> int:
        """The number of events so far."""
        seq = await self._session.scalar(
            select(EventCursor.seq).where(
                EventCursor.organization_id == self._scope.organization_id
            )
        )
        return seq or 0


class EventWriter(EventRepository):
    """The log, and appending to it what is decided by people."""

    def __init__(self, session: WriteSession, scope: OrganizationScope) -> None:
        super().__init__(session, scope)

    async def append(self, kind: EventKind, subject_id: str, data: Mapping[str, Any]) -> None:
        """Add an event at the end. Let it be the last statement of the transaction: the log stays
        locked until the commit, so that its order is that of the commits. What is None in ``data``
        is left out, as in the events of tasks."""
        known = {
            name: str(value) if isinstance(value, UUID) else value
            for name, value in data.items()
            if value is not None
        }
        append = func.append_event(
            self._scope.organization_id, kind.value, subject_id, cast(known, JSONB)
        )
        await self._session.execute(select(append))
