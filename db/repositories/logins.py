"""Logins: sessions with their one good refresh token, and the failures that limits count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update

from db.ids import uuid7
from db.models import LoginFailure, LoginSession
from db.session import WriteSession

_KEEP_FAILURES = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RecentFailures:
    """Refused logins within a window, and when the oldest of them leaves it (None: there is none).

    ``count`` stops at the limit that was asked for.
    """

    count: int
    oldest: datetime | None


class LoginRepository:
    """Sessions and failures of all users."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def begin(self, user_id: UUID, lasts: timedelta) -> LoginSession:
        """A new session with its first refresh token; sessions long over are removed."""
        await self._session.execute(
            delete(LoginSession).where(
                LoginSession.user_id == user_id, LoginSession.expires_at < func.now()
            )
        )
        login = LoginSession(
            id=uuid7(), user_id=user_id, refresh_id=uuid7(), expires_at=func.now() + lasts
        )
        self._session.add(login)
        await self._session.flush()
        return login

    async def rotate(self, session_id: UUID, refresh_id: UUID) -> LoginSession | None:
        """Replace the session's refresh token by a new one.

        None, and the session is over: the token has been replaced before.
        None as well: the session is over already, or unknown.
        """
        login: LoginSession | None = await self._session.scalar(
            update(LoginSession)
            .where(
                LoginSession.id == session_id,
                LoginSession.refresh_id == refresh_id,
                LoginSession.revoked_at.is_(None),
                LoginSession.expires_at > func.now(),
            )
            .values(refresh_id=uuid7())
            .returning(LoginSession)
        )
        if login is None:
            await self.end(LoginSession.id == session_id)
        return login

    async def end(self, which: ColumnElement[bool]) -> None:
        """End sessions: their refresh and access tokens are no longer good."""
        await self._session.execute(
            update(LoginSession)
            .where(which, LoginSession.revoked_at.is_(None))
            .values(revoked_at=func.now())
        )

    async def end_session(self, session_id: UUID) -> None:
        """End one session."""
        await self.end(LoginSession.id == session_id)

    async def end_all(self, user_id: UUID, *, but: UUID | None = None) -> None:
        """End all sessions of a user, but one perhaps."""
        which = LoginSession.user_id == user_id
        await self.end(which if but is None else which & (LoginSession.id != but))

    async def note_failure(self, email: str, address: str) -> None:
        """Count a refused login against account and network address."""
        await self._session.execute(
            delete(LoginFailure).where(LoginFailure.at < func.now() - _KEEP_FAILURES)
        )
        self._session.add(LoginFailure(email=email.lower(), address=address))

    async def forgive(self, email: str) -> None:
        """Forget the failures of an account, whose owner has just shown the password."""
        await self._session.execute(delete(LoginFailure).where(LoginFailure.email == email.lower()))

    async def failures_of_account(
        self, email: str, window: timedelta, limit: int
    ) -> RecentFailures:
        """Refused logins of an account within ``window``."""
        return await self._recent(LoginFailure.email == email.lower(), window, limit)

    async def failures_from(self, address: str, window: timedelta, limit: int) -> RecentFailures:
        """Refused logins from a network address within ``window``."""
        return await self._recent(LoginFailure.address == address, window, limit)

    async def _recent(
        self, which: ColumnElement[bool], window: timedelta, limit: int
    ) -> RecentFailures:
        latest = (
            select(LoginFailure.at)
            .where(which, LoginFailure.at > func.now() - window)
            .order_by(LoginFailure.at.desc())
            .limit(limit)
            .subquery()
        )
        row = (await self._session.execute(select(func.count(), func.min(latest.c.at)))).one()
        return RecentFailures(*row)
