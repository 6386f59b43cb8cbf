"""What the API says and takes about API keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.schemas import Input


class ApiKeyRead(BaseModel):
    """A key, without the key itself."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    prefix: str = Field(description="How the key begins.", examples=["sk_live_Zk3v"])
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class ApiKeyCreated(ApiKeyRead):
    """A new key."""

    key: str = Field(description="The key itself: shown now, and never again.")


class ApiKeyList(BaseModel):
    """One page of keys."""

    items: list[ApiKeyRead]
    total: int
    page: int
    size: int


class ApiKeyCreate(Input):
    """What the key is for."""

    name: str = Field(min_length=1, max_length=200, examples=["nightly import"])
