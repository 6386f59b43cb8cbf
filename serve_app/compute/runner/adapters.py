"""The weights of LoRAs on their way from storage to the replicas."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import ray

from db.models import Adapter
from db.repositories.adapters import AdapterRepository
from db.repositories.scope import OrganizationScope
from deployments.contracts import LoraData, LoraRef
from serve_app.core.adapters import AdapterGone
from serve_app.core.resources import Resources
from serve_app.core.storage.base import ObjectNotFound


@dataclass(frozen=True, slots=True)
class _Shared:
    """A file that any replica can have."""

    size: int
    data: LoraData


class AdapterFiles:
    """Puts files into Ray's object store, and the references of the last ones in a task's request.

    So the bytes are read from storage once for all replicas, and only those that lack an adapter
    fetch them. What is let go stays in the object store while a request refers to it.
    """

    def __init__(self) -> None:
        self._shared: OrderedDict[str, _Shared] = OrderedDict()
        self._turns: dict[str, asyncio.Lock] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the files that are kept."""
        return sum(shared.size for shared in self._shared.values())

    async def references(
        self, resources: Resources, organization_id: UUID, pins: Sequence[Mapping[str, Any]]
    ) -> tuple[LoraRef, ...]:
        """The LoRAs of a task's config, for a request to a replica.

        Raises:
            AdapterGone: one has been deleted.
        """
        if not pins:
            return ()
        ids = {UUID(pin["id"]) for pin in pins}
        async with resources.database.read() as session:
            scope = OrganizationScope(organization_id)
            adapters = await AdapterRepository(session, scope).get_many(ids)
        references = []
        for pin in pins:
            name = f"{pin['name']}@{pin['version']}"
            if (adapter := adapters.get(UUID(pin["id"]))) is None:
                raise AdapterGone(f"The LoRA {name!r} has been deleted")
            data = await self._file(resources, adapter, name)
            references.append(LoraRef(name, adapter.sha256, pin["weight"], data))
        return tuple(references)

    async def _file(self, resources: Resources, adapter: Adapter, name: str) -> LoraData:
        key = adapter.sha256
        # Tasks that need the same file at once wait for one of them to read it.
        async with self._turns.setdefault(key, asyncio.Lock()):
            if key not in self._shared:
                try:
                    content = await resources.store.get(adapter.path)
                except ObjectNotFound:
                    raise AdapterGone(f"The file of the LoRA {name!r} is gone") from None
                data = await asyncio.to_thread(_share, content)
                self._shared[key] = _Shared(len(content), data)
            self._shared.move_to_end(key)
            data = self._shared[key].data
        self._let_go(resources.settings.models.shared_adapter_bytes)
        return data

    def _let_go(self, max_bytes: int) -> None:
        while self._shared and self.nbytes > max_bytes:
            self._shared.popitem(last=False)
        for key in [key for key in self._turns if key not in self._shared]:
            if not self._turns[key].locked():
                del self._turns[key]


def _share(content: bytes) -> LoraData:
    """Into the object store, where there is one: a runner works without Ray as well."""
    return ray.put(content) if ray.is_initialized() else content
