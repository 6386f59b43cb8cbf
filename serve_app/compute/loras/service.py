"""Adapters that come from outside, and adapters that go."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, Self
from uuid import UUID

from fastapi import UploadFile

from configs.catalog import ModelEntry
from db.ids import uuid7
from db.models import Adapter, AdapterSource, EntityType
from db.repositories.adapters import AdapterWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.compute.loras.layers import check_fits, lora_layers
from serve_app.compute.loras.schemas import LoraRead
from serve_app.core.adapters import FILE_NAME, adapter_folder
from serve_app.core.dependencies import Sign
from serve_app.core.errors import InvalidInput, PayloadTooLarge, UnprocessableField
from serve_app.core.resources import Resources
from serve_app.core.rows import found, refusals
from serve_app.core.safetensors import PickledFile, read_header

_PICKLE_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_CHUNK_BYTES = 1024 * 1024
# Of what a file says about itself: some trainers write a line for every picture.
_MAX_FACTS = 200
_MAX_FACT_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A LoRA file that was looked at.

    Attributes:
        file: at its beginning.
        size: bytes.
        sha256: hexadecimal.
        rank: the largest of its layers'.
        metadata: as it stands in its header.
    """

    file: BinaryIO
    size: int
    sha256: str
    rank: int
    metadata: Mapping[str, str]

    @classmethod
    def of(cls, file: BinaryIO, entry: ModelEntry) -> Self:
        """Check a seekable file; it is read once, in pieces.

        Raises:
            InvalidInput: it is no LoRA, or another model's.
            PickledFile: it must not be opened.
        """
        header = read_header(file)
        layers = lora_layers(header)
        check_fits(layers, entry)
        file.seek(0)
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
        size = file.tell()
        file.seek(0)
        rank = max(layer.rank for layer in layers)
        return cls(file, size, digest.hexdigest(), rank, header.metadata)

    def facts(self) -> dict[str, str]:
        """Of the metadata, what is short, and text that Postgres can store."""
        short = {
            name: value
            for name, value in self.metadata.items()
            if len(name) + len(value) <= _MAX_FACT_CHARACTERS and _is_storable(name + value)
        }
        return dict(list(short.items())[:_MAX_FACTS])


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


async def check(resources: Resources, upload: UploadFile, entry: ModelEntry) -> CheckedFile:
    """Look at an uploaded file; nothing is stored.

    Raises:
        UnprocessableField: it is no LoRA, or another model's.
        PickledFile: it is no safetensors file but one that runs code.
        PayloadTooLarge: it has more bytes than are taken.
    """
    limit = resources.settings.models.max_adapter_bytes
    if upload.size is not None and upload.size > limit:
        raise PayloadTooLarge(f"The file is too large: at most {limit:,} bytes")
    if (upload.filename or "").lower().endswith(_PICKLE_SUFFIXES):
        raise PickledFile
    try:
        checked = await asyncio.to_thread(CheckedFile.of, upload.file, entry)
    except InvalidInput as error:
        raise error.at("body", "file") from error
    trained_on = checked.metadata.get("base_model", entry.name)
    if trained_on in resources.catalog and trained_on != entry.name:
        detail = f"the file says that it was trained on {trained_on}"
        raise UnprocessableField(f"base_model: {detail}", ("body", "base_model"))
    return checked


def choose_base(resources: Resources, name: str) -> ModelEntry:
    """The catalog entry that an adapter is for; this machine need not be able to run it.

    Raises:
        UnprocessableField: there is no such model.
    """
    try:
        return resources.catalog.resolve(name)
    except KeyError:
        detail = f"base_model: unknown model; known are {sorted(resources.catalog)}"
        raise UnprocessableField(detail, ("body", "base_model")) from None


@dataclass(frozen=True, slots=True)
class Adapters:
    """An organization's adapters, rows and objects, within one transaction."""

    resources: Resources
    session: WriteSession
    scope: OrganizationScope

    async def store(self, checked: CheckedFile) -> str:
        """Put a file where it stays, and say where; it is removed again if the transaction comes to
        nothing. Call it before the transaction's first statement: it takes a while."""
        path = f"{adapter_folder(self.scope.organization_id, uuid7().hex)}/{FILE_NAME}"
        self.session.after_rollback(partial(self.resources.store.delete, path))
        await self.resources.store.put(path, checked.file)
        return path

    async def create(
        self,
        checked: CheckedFile,
        path: str,
        entry: ModelEntry,
        *,
        name: str,
        entity_type: EntityType,
        trigger_word: str | None,
    ) -> Adapter:
        """The next version of ``name``."""
        return await AdapterWriter(self.session, self.scope).create(
            name=name,
            source=AdapterSource.UPLOADED,
            entity_type=entity_type,
            base_model=entry.name,
            base_model_hash=checked.facts().get("base_model_hash"),
            family=entry.family,
            rank=checked.rank,
            trigger_word=trigger_word or checked.facts().get("trigger_word") or None,
            path=path,
            size=checked.size,
            sha256=checked.sha256,
            facts=checked.facts(),
        )

    async def delete(self, adapter_id: UUID) -> None:
        """Remove an adapter, and after the commit its file.

        Raises:
            NotFound: there is none with this id.
            InUse: subjects, products or styles are made with it.
        """
        adapters = AdapterWriter(self.session, self.scope)
        adapter = found(await adapters.lock(adapter_id), "LoRA")
        with refusals("This LoRA", instead="take it off them first"):
            await adapters.delete(adapter)
        self.session.after_commit(partial(self.resources.store.delete, adapter.path))


async def read_lora(adapter: Adapter, sign: Sign) -> LoraRead:
    """What the API answers about an adapter."""
    computed: dict[str, Any] = {
        "url": await sign(adapter.path),
        "training_id": adapter.task_id,
        "metadata": adapter.facts,
    }
    names = LoraRead.model_fields.keys() - computed.keys()
    return LoraRead.model_validate({name: getattr(adapter, name) for name in names} | computed)
