"""API keys."""

from __future__ import annotations

import secrets
from uuid import UUID

from db.repositories import ApiKeyWriter
from db.session import Database
from serve_app.core.auth import hash_api_key


async def make_api_key(database: Database, organization_id: UUID, *, revoked: bool = False) -> str:
    """A new key of the organization; the key itself, which only its hash is kept of."""
    key = f"sk_test_{secrets.token_urlsafe(32)}"
    async with database.write() as session:
        keys = ApiKeyWriter(session)
        added = await keys.add(
            organization_id, name="test", prefix=key[:12], key_hash=hash_api_key(key)
        )
        if revoked:
            await keys.revoke(organization_id, added.id)
    return key
