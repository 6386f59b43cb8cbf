"""Requests that a client sends again get the first answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import IdempotencyKey
from db.repositories.scope import OrganizationScope
from db.session import ReadSession, WriteSession

LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The answer to the first request with a key, and the fingerprint of that request."""

    fingerprint: str
    status_code: int
    response: Any


class IdempotencyRepository:
    """The keys of one organization.

    Used in the transaction of the request itself, so an answer is stored exactly when the request
    took effect.
    """

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def find(self, key: str) -> StoredResponse | None:
        """What the key answered before; None also while its request is still being answered."""
        return await self._stored(key, IdempotencyKey.created_at >= _oldest())

    async def begin(self, key: str, fingerprint: str) -> StoredResponse | None:
        """Take the key, or return what it answered before.

        A second request waits here until the first one's transaction ends: after a commit it gets
        that answer, after a rollback it takes the key.
        """
        row = insert(IdempotencyKey).values(
            organization_id=self._scope.organization_id, key=key, fingerprint=fingerprint
        )
        row = row.on_conflict_do_update(
            index_elements=["organization_id", "key"],
            set_={
                "fingerprint": row.excluded.fingerprint,
                "status_code": None,
                "response": None,
                "created_at": func.now(),
            },
            where=IdempotencyKey.created_at < _oldest(),
        )
        taken = await self._session.execute(row.returning(IdempotencyKey.key))
        if taken.first() is not None:
            return None
        stored = await self._stored(key)
        if stored is None:
            raise ValueError(f"begin({key!r}) was called twice in one transaction")
        return stored

    async def store(self, key: str, status_code: int, response: Any) -> None:
        """Keep the answer of the request that took the key. ``response`` is JSON."""
        await self._session.execute(
            update(IdempotencyKey)
            .where(*self._is(key))
            .values(status_code=status_code, response=response)
        )

    async def _stored(self, key: str, *conditions: ColumnElement[bool]) -> StoredResponse | None:
        found = await self._session.execute(
            select(
                IdempotencyKey.fingerprint, IdempotencyKey.status_code, IdempotencyKey.response
            ).where(*self._is(key), IdempotencyKey.status_code.is_not(None), *conditions)
        )
        row = found.mappings().one_or_none()
        return None if row is None else StoredResponse(**row)

    def _is(self, key: str) -> tuple[Any, Any]:
        return (
            IdempotencyKey.organization_id == self._scope.organization_id,
            IdempotencyKey.key == key,
        )


def _oldest() -> ColumnElement[datetime]:
    return func.clock_timestamp() - LIFETIME


async def delete_expired_keys(session: WriteSession) -> int:
    """Remove the keys of every organization that are older than a day; how many there were."""
    removed = await session.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.created_at < _oldest())
        .returning(IdempotencyKey.key)
    )
    return len(removed.all())
