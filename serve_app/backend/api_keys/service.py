"""API keys: 256 random bits, of which only a hash is kept."""

from __future__ import annotations

import secrets
from uuid import UUID

from db.models import ApiKey
from db.repositories.api_keys import ApiKeyWriter
from db.session import WriteSession
from serve_app.core.auth import hash_api_key

_PREFIX = "sk_live_"
_SHOWN = len(_PREFIX) + 4


async def create(session: WriteSession, organization_id: UUID, name: str) -> tuple[ApiKey, str]:
    """A new key of an organization, and the key itself."""
    key = _PREFIX + secrets.token_urlsafe(32)
    row = await ApiKeyWriter(session).add(
        organization_id, name=name, prefix=key[:_SHOWN], key_hash=hash_api_key(key)
    )
    return row, key
