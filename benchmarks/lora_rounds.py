"""Sixteen LoRAs in turn through one server that may keep four: its memory, after every round.

``python -m benchmarks.lora_rounds MODEL ROUNDS`` is a process of its own, so that its memory is the
server's and nobody else's. It prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys

import psutil

from benchmarks.lora_files import random_lora
from configs.catalog import ModelEntry, get_catalog
from deployments.contracts import GenerationRequest, LoraRef
from deployments.generation.server import GenerationServer

LORAS, KEPT = 16, 4
# Of a large rank, so that keeping one too many shows.
_RANK = 128
_WIDTH, _HEIGHT, _STEPS = 64, 64, 2


async def _rounds(entry: ModelEntry, rounds: int) -> dict[str, object]:
    size = len(random_lora(entry, 0, _RANK))
    server = GenerationServer(warm=[entry.name], adapter_bytes=KEPT * size)
    await server.warmed()
    held: list[int] = []
    resident: list[int] = []
    for _ in range(rounds):
        for seed in range(LORAS):
            await _generate(server, entry, random_lora(entry, seed, _RANK))
            held.append((await server.status()).adapter_bytes)
        resident.append(psutil.Process().memory_info().rss)
    server.close()
    return {"file_bytes": size, "held_bytes": max(held), "resident_bytes": resident}


async def _generate(server: GenerationServer, entry: ModelEntry, content: bytes) -> None:
    lora = LoraRef("lora", hashlib.sha256(content).hexdigest(), data=content)
    request = GenerationRequest(
        lora.digest, entry.name, "a dress", (0,), _WIDTH, _HEIGHT, _STEPS, 4.0, loras=(lora,)
    )
    async for _ in server(request):
        pass


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_rounds(get_catalog()[sys.argv[1]], int(sys.argv[2])))))
