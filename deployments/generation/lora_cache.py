"""A replica's adapters in memory, the least recently used ones dropped. Free of torch."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ray.exceptions import RayError

from deployments.contracts import LoraRef
from deployments.errors import AdapterUnavailable, InvalidInput
from telemetry.metrics import LORA_REQUESTS

# Name of a model, and digest of an adapter.
_Key: TypeAlias = tuple[str, str]


class Sized(Protocol):
    """What an engine makes of a file."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""


class CachedLora:
    """One adapter for one model: its file, until an engine has read it.

    The event loop keeps it, the worker's thread reads it.
    """

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self._parsed: Any = None
        self.nbytes = len(content)

    def read(self, parse: Callable[[bytes], Sized]) -> Any:
        """What ``parse`` makes of the file; once it has succeeded it is not called again."""
        if self._content is not None:
            self._parsed = parse(self._content)
            self.nbytes = self._parsed.nbytes
            self._content = None
        return self._parsed


class LoraCache:
    """Adapters by model and digest; lives in the event loop.

    What a waiting or running request uses stays in memory as long as the request does, beyond the
    bound if need be.

    Args:
        max_bytes: of the adapters that are kept.

    Attributes:
        hits: how often an adapter was there, or on its way, and
        misses: how often its file had to be fetched.
    """

    def __init__(self, max_bytes: int) -> None:
        self.hits = self.misses = 0
        self._max_bytes = max_bytes
        self._held: OrderedDict[_Key, CachedLora] = OrderedDict()
        self._fetching: dict[_Key, asyncio.Task[CachedLora]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the adapters that are kept."""
        return sum(lora.nbytes for lora in self._held.values())

    @property
    def digests(self) -> tuple[str, ...]:
        """Which are kept, the least recently used first."""
        return tuple(digest for _, digest in self._held)

    async def get(self, model: str, lora: LoraRef) -> CachedLora:
        """The adapter; its file is fetched if it is not there, once for all who wait for it.

        Raises:
            InvalidInput: there is no such file, or it is another one than the digest says.
            AdapterUnavailable: it was lost on its way.
        """
        key = (model, lora.digest)
        if (held := self._held.get(key)) is not None:
            self._hit()
            self._held.move_to_end(key)
            return held
        if (fetch := self._fetching.get(key)) is not None:
            self._hit()
        else:
            self.misses += 1
            LORA_REQUESTS.add(outcome="miss")
            fetch = self._fetching[key] = asyncio.create_task(self._fetch(key, lora))
            fetch.add_done_callback(lambda done: self._fetched(key, done))
        # Whoever goes away does not stop it for the others.
        return await asyncio.shield(fetch)

    def _hit(self) -> None:
        self.hits += 1
        LORA_REQUESTS.add(outcome="hit")

    async def _fetch(self, key: _Key, lora: LoraRef) -> CachedLora:
        content = await _content(lora)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        if digest != lora.digest:
            raise InvalidInput(f"LoRA {lora.name!r} is not the file that it was: {digest}")
        held = self._held[key] = CachedLora(content)
        while self._held and self.nbytes > self._max_bytes:
            self._held.popitem(last=False)
        return held

    def _fetched(self, key: _Key, done: asyncio.Task[CachedLora]) -> None:
        del self._fetching[key]
        if not done.cancelled():
            done.exception()  # is told to who waits, if anybody still does


async def _content(lora: LoraRef) -> bytes:
    data = lora.data
    if isinstance(data, bytes):
        return data
    try:
        return await (asyncio.to_thread(data.read_bytes) if isinstance(data, Path) else data)
    except FileNotFoundError as error:
        raise InvalidInput(f"LoRA {lora.name!r} is missing: {error.filename}") from error
    except RayError as error:
        raise AdapterUnavailable(f"LoRA {lora.name!r} was lost on its way") from error
