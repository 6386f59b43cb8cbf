"""Adapters, without the API."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

from db.ids import uuid7
from db.models import Adapter, AdapterSource, EntityType
from db.repositories import OrganizationScope
from db.repositories.adapters import AdapterWriter
from db.session import Database
from serve_app.core.resources import Resources


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


async def store_adapter(
    resources: Resources, scope: OrganizationScope, content: bytes, name: str = "mira", **other: Any
) -> Adapter:
    """The next version of ``name``, whose file has this content, whatever it is."""
    path = f"loras/{scope.organization_id.hex}/{uuid7().hex}/pytorch_lora_weights.safetensors"
    await resources.store.put(path, content)
    values = {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return await make_adapter(resources.database, scope, name, **values | other)
