"""API keys of all organizations: a key is what tells us which organization asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from db.models import ApiKey
from db.repositories.scope import Page, fetch_page
from db.session import ReadSession, WriteSession

_TOUCH_EVERY = timedelta(minutes=1)


# Every request with a key asks this: built once, and columns only.
_IN_FORCE = select(ApiKey.id, ApiKey.organization_id, ApiKey.last_used_at).where(
    ApiKey.hash == bindparam("key_hash"), ApiKey.revoked_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that is in force."""

    id: UUID
    organization_id: UUID
    last_used_at: datetime | None

    @property
    def is_use_to_be_noted(self) -> bool:
        """Whether the last use that was noted is some time ago: one a minute is enough."""
        return self.last_used_at is None or datetime.now(UTC) - self.last_used_at > _TOUCH_EVERY


class ApiKeyRepository:
    """Keys as their organizations see them, and by their hash: the SHA-256 of the key in lower-case
    hexadecimal."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    async def in_force(self, key_hash: str) -> KnownKey | None:
        """The key with this hash, unless it was revoked."""
        found = (await self._session.execute(_IN_FORCE, {"key_hash": key_hash})).one_or_none()
        return None if found is None else KnownKey(*found)

    async def list(self, organization_id: UUID, *, page: int, size: int) -> Page[ApiKey]:
        """The keys of an organization, the newest first, revoked ones included."""
        query = select(ApiKey).where(ApiKey.organization_id == organization_id)
        order = ApiKey.id.desc()
        return await fetch_page(self._session, query, page=page, size=size, order_by=order)


class ApiKeyWriter(ApiKeyRepository):
    """Keys, and changes of them."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)

    async def add(self, organization_id: UUID, *, name: str, prefix: str, key_hash: str) -> ApiKey:
        """A new key of an organization. ``prefix``: its first characters, to be shown in lists."""
        key = ApiKey(organization_id=organization_id, name=name, prefix=prefix, hash=key_hash)
        self._session.add(key)
        await self._session.flush()
        await self._session.refresh(key)
        return key

    async def revoke(self, organization_id: UUID, api_key_id: UUID) -> bool:
        """End a key of an organization; whether it was in force."""
        changed = await self._session.execute(
            update(ApiKey)
            .where(
                ApiKey.id == api_key_id,
                ApiKey.organization_id == organization_id,
                ApiKey.revoked_at.is_(None),
            )
            .values(revoked_at=func.now())
            .returning(ApiKey.id)
        )
        return changed.first() is not None

    async def touch(self, api_key_id: UUID) -> None:
        """Note that a key was used now."""
        # Requests that come at once would wait for one another's row lock; one of them is enough.
        row = (
            select(ApiKey.id)
            .where(ApiKey.id == api_key_id)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        await self._session.execute(
            update(ApiKey).where(ApiKey.id == row).values(last_used_at=func.now())
        )
