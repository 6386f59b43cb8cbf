"""Which adapters a replica keeps in memory."""

import asyncio
import hashlib
from dataclasses import dataclass

import pytest
from ray.exceptions import ObjectLostError

from deployments.contracts import LoraRef
from deployments.errors import AdapterUnavailable, InvalidInput
from deployments.generation.lora_cache import LoraCache


def lora(name, size=100, data=None):
    content = name.encode().ljust(size)
    return LoraRef(
        name, hashlib.sha256(content).hexdigest(), data=content if data is None else data
    )


@dataclass
class Reference:
    """An object of Ray's store: it can be awaited, and says how often."""

    outcome: object
    awaited: int = 0

    def __await__(self):
        self.awaited += 1
        yield from asyncio.sleep(0.01).__await__()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class Parsed:
    nbytes: int


async def test_the_least_recently_used_bytes_go():
    cache = LoraCache(250)
    a, b, c = (lora(name) for name in "abc")
    for one in (a, b, a, c):
        await cache.get("m", one)
    assert cache.digests == (a.digest, c.digest)
    assert cache.nbytes == 200
    await cache.get("other model", a)
    assert cache.digests == (c.digest, a.digest)


async def test_sixteen_in_turn_stay_within_the_bound():
    cache = LoraCache(5 * 100)
    for _ in range(3):
        for index in range(16):
            await cache.get("m", lora(f"{index}"))
            assert cache.nbytes <= 500


async def test_what_does_not_fit_is_used_and_not_kept():
    cache = LoraCache(250)
    small, large = lora("small"), lora("large", 300)
    await cache.get("m", small)
    held = await cache.get("m", large)
    assert held.read(lambda content: Parsed(len(content))).nbytes == 300
    assert cache.nbytes <= 250


async def test_a_file_is_parsed_once_and_counts_as_what_it_became():
    cache = LoraCache(1000)
    calls = []

    def parse(content):
        calls.append(content)
        if len(calls) == 1:
            raise InvalidInput("not this time")
        return Parsed(700)

    one = lora("one")
    with pytest.raises(InvalidInput):
        (await cache.get("m", one)).read(parse)
    first = (await cache.get("m", one)).read(parse)
    assert (await cache.get("m", one)).read(parse) is first
    assert len(calls) == 2
    assert cache.nbytes == 700
    await cache.get("m", lora("two", 400))
    assert cache.nbytes == 400


async def test_who_waits_for_one_file_waits_for_one_transfer():
    cache = LoraCache(1000)
    content = lora("one").data
    references = [Reference(content) for _ in range(3)]
    first, *others = [
        asyncio.create_task(cache.get("m", lora("one", data=reference))) for reference in references
    ]
    await asyncio.sleep(0)
    first.cancel()
    assert len({id(held) for held in await asyncio.gather(*others)}) == 1
    await cache.get("m", lora("one", data=Reference(ObjectLostError("0", None, ""))))
    assert sum(reference.awaited for reference in references) == 1


async def test_what_can_go_wrong(tmp_path):
    cache = LoraCache(1000)
    lost = lora("lost", data=Reference(ObjectLostError("00", None, "")))
    with pytest.raises(AdapterUnavailable, match="'lost' was lost"):
        await cache.get("m", lost)
    with pytest.raises(InvalidInput, match="'gone' is missing"):
        await cache.get("m", lora("gone", data=tmp_path / "gone.safetensors"))
    with pytest.raises(InvalidInput, match="'other' is not the file that it was"):
        await cache.get("m", lora("other", data=b"something else"))
    # None of them is in the way of the next.
    held = await cache.get("m", lora("lost"))
    assert held.nbytes == 100
    (tmp_path / "file").write_bytes(lora("file").data)
    await cache.get("m", lora("file", data=tmp_path / "file"))
