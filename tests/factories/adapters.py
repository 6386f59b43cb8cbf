"""Adapters, without the API."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from db.ids import uuid7
from db.models import Adapter, AdapterSource, EntityType
from db.repositories import OrganizationScope
from db.repositories.adapters import AdapterWriter
from db.session import Database


async def make_adapter(
    database: Database, scope: OrganizationScope, name: str = "mira", **changes: Any
) -> Adapter:
    """The next version of ``name``; nothing lies at its path."""
    adapter_id = uuid7()
    values: dict[str, Any] = {
        "id": adapter_id,
        "source": AdapterSource.UPLOADED,
        "entity_type": EntityType.SUBJECT,
        "base_model": "atelier-tiny",
        "base_model_hash": None,
        "family": "sd-instruct",
        "rank": 4,
        "trigger_word": None,
        "path": f"loras/{scope.organization_id.hex}/{adapter_id.hex}.safetensors",
        "size": 1000,
        "sha256": uuid4().hex * 2,
    }
    async with database.write() as session:
        return await AdapterWriter(session, scope).create(name=name, **values | changes)
