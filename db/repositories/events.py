"""The event log of one organization."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from db.models import Event, EventCursor
from db.repositories.scope import OrganizationScope
from db.session import ReadSession


class EventRepository:
    """Reads the log from any cursor; appending is done by the database itself."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def after(
        self, seq: int, *, limit: int = 100, subject_id: str | None = None
    ) -> Sequence[Event]:
        """Events after ``seq`` (0: from the beginning) in order, optionally about one subject."""
        query = select(Event).where(
            Event.organization_id == self._scope.organization_id, Event.seq > seq
        )
        if subject_id is not None:
            query = query.where(Event.subject_id == subject_id)
        return (await self._session.scalars(query.order_by(Event.seq).limit(limit))).all()

    async def last_seq(self) -> int:
        """The number of events so far."""
        seq = await self._session.scalar(
            select(EventCursor.seq).where(
                EventCursor.organization_id == self._scope.organization_id
            )
        )
        return seq or 0
