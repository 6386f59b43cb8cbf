"""Which replica gets which LoRA: three ways, each on two replicas of the bundled model.

``python -m benchmarks.lora_routing OUT.json`` runs by itself, with a Ray and a Postgres of its own;
decision 10 is made of its numbers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import ray
from pydantic import SecretStr
from ray import serve
from sqlalchemy import select

from benchmarks.harness import quantiles
from benchmarks.lora_files import random_lora
from configs.settings import Settings, get_settings
from db.embedded import EmbeddedPostgres
from db.ids import uuid7
from db.models import Adapter, AdapterSource, EntityType, Task
from db.repositories import NewTask, OrganizationScope, TaskQueue
from db.repositories.adapters import AdapterWriter
from db.repositories.organizations import OrganizationWriter
from db.timeline import Timeline
from deployments.generation.server import GenerationReplica
from serve_app.compute.runner.lease import Held
from serve_app.compute.runner.runner import Runner
from serve_app.core.adapters import pinned
from serve_app.core.resources import Resources, open_resources

_REPLICAS = 2
# Small pictures in few steps, so that loading a LoRA takes as long as making one.
_WIDTH, _HEIGHT, _STEPS = 64, 64, 4
_SLOTS = 4
_LORAS = 16
# Of the LoRAs, how many a replica may keep.
_KEPT = 8
WAYS: Final = ("neither", "claim affinity", "multiplexing")


class Counting(GenerationReplica):
    """A replica that says how often an adapter was there."""

    async def counts(self) -> tuple[int, int, int]:
        """Process, hits and misses."""
        return os.getpid(), self._loras.hits, self._loras.misses


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A handle that does not name a request's adapters to Serve's router."""

    handle: Any

    def options(self, *, stream: bool, multiplexed_model_id: str) -> Any:
        """The handle's own, without the adapters."""
        del multiplexed_model_id
        return self.handle.options(stream=stream)


class Capacity:
    """Two replicas that are always there."""

    def capacity(self, queue: str) -> int:
        """Images at once."""
        del queue
        return _REPLICAS * _SLOTS

    def for_newcomers(self, queue: str) -> int:
        """Beyond that."""
        del queue
        return 0

    def look_soon(self) -> None:
        """There is nothing to look at."""

    async def run(self, is_waited_for: object) -> None:
        """Wait for ever: nothing changes."""
        del is_waited_for
        await asyncio.Event().wait()


class AffinityRunner(Runner):
    """Claims first what was sent out last."""

    _last: dict[str, None]

    async def _claim(self, queue: str) -> None:
        self._last = getattr(self, "_last", {})
        async with self._resources.database.write() as session:
            claimed = await TaskQueue(session).claim(
                queue,
                self.runner_id,
                capacity=self._watch.capacity(queue),
                limit=self._watch.capacity(queue),
                lease_seconds=self._settings.lease_seconds,
                affinity=list(self._last)[-_REPLICAS * _KEPT :],
            )
        for task in claimed:
            if task.affinity is not None:
                self._last.pop(task.affinity, None)
                self._last[task.affinity] = None
            timeline = Timeline(task.attempt, task.claimed_at)
            job = asyncio.create_task(self._attempt(task, timeline), name=task.id)
            self._leases.add(Held(task, job, timeline))


@dataclass(frozen=True, slots=True)
class Scenario:
    """Tasks to be queued: when (seconds), whose (index), with which LoRA (index, or None)."""

    name: str
    tasks: Sequence[tuple[float, int, int | None]]


def scenarios(rate: float, count: int) -> list[Scenario]:
    """Tasks that come at a moderate ``rate`` a second, and tasks that all wait already."""
    rng = random.Random(7)
    drawn = [rng.randrange(_LORAS) for _ in range(count)]
    own = _LORAS // 2
    return [
        Scenario(
            "8 organizations with 2 LoRAs each",
            [(i / rate, n % own, n) for i, n in enumerate(drawn)],
        ),
        Scenario("a backlog of 16 LoRAs", [(0.0, own, lora) for lora in drawn]),
        Scenario("one LoRA", [(index / rate, own, 0) for index in range(count)]),
    ]


class Bench:
    """Everything that the runs share: database, adapters, organizations."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._entry = resources.catalog.resolve(None)
        self._organizations: list[UUID] = []
        self._pins: dict[tuple[int, int], dict[str, Any]] = {}

    async def prepare(self) -> int:
        """Make organizations with their adapters; bytes of one file."""
        files = [random_lora(self._entry, seed) for seed in range(_LORAS)]
        store = self._resources.store
        for index in range(_LORAS // 2 + 1):
            async with self._resources.database.write() as session:
                owner = await OrganizationWriter(session).create(name=f"{index}", slug=f"o-{index}")
                self._organizations.append(owner.id)
                for lora, content in enumerate(files):
                    adapter = await self._adapter(session, owner.id, lora, content)
                    self._pins[index, lora] = pinned(adapter, 0.8)
        for lora, content in enumerate(files):
            await store.put(f"loras/{lora}.safetensors", content)
        return len(files[0])

    async def _adapter(self, session: Any, owner: UUID, lora: int, content: bytes) -> Adapter:
        return await AdapterWriter(session, OrganizationScope(owner)).create(
            id=uuid7(),
            name=f"lora-{lora}",
            source=AdapterSource.UPLOADED,
            entity_type=EntityType.SUBJECT,
            base_model=self._entry.name,
            base_model_hash=None,
            family=self._entry.family,
            rank=16,
            trigger_word=None,
            path=f"loras/{lora}.safetensors",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    async def run(self, scenario: Scenario, handle: Any, runner_class: type[Runner]) -> list[float]:
        """Seconds of each task, from its making to its end."""
        runner = runner_class(
            f"runner-{uuid7().hex}",
            self._resources,
            {"generation": handle},
            lambda _: Capacity(),  # type: ignore[arg-type,return-value]
        )
        await runner.start()
        ids = []
        started = time.monotonic()
        for number, (at, owner, lora) in enumerate(scenario.tasks):
            await asyncio.sleep(max(0.0, started + at - time.monotonic()))
            ids.append(await self._submit(number, owner, lora))
        seconds = await self._ended(ids)
        await runner.drain()
        return seconds

    async def _submit(self, number: int, owner: int, lora: int | None) -> str:
        pins = [] if lora is None else [self._pins[owner, lora]]
        config = {
            "model": self._entry.name,
            "prompt": f"a dress, look {number}",
            "negative_prompt": "",
            "num_outputs": 1,
            "seed": number,
            "width": _WIDTH,
            "height": _HEIGHT,
            "steps": _STEPS,
            "guidance_scale": 4.0,
            "image_guidance_scale": 1.5,
            "strength": 0.8,
            "output_format": "jpeg",
            "loras": pins,
        }
        affinity = "+".join(sorted(pin["sha256"] for pin in pins)) or None
        new = NewTask(type="generation", queue="generation", config=config, affinity=affinity)
        async with self._resources.database.write() as session:
            scope = OrganizationScope(self._organizations[owner])
            return (await TaskQueue(session).enqueue(scope, new)).id

    async def _ended(self, ids: Sequence[str]) -> list[float]:
        while True:
            async with self._resources.database.read() as session:
                rows = await session.execute(
                    select(Task.status, Task.created_at, Task.completed_at, Task.error).where(
                        Task.id.in_(ids)
                    )
                )
                found = rows.all()
            if failed := [row.error for row in found if row.status == "failed"]:
                raise RuntimeError(failed[0])
            if all(row.completed_at is not None for row in found):
                return [(row.completed_at - row.created_at).total_seconds() for row in found]
            await asyncio.sleep(0.1)


def deploy(way: str, kept_bytes: int) -> Any:
    """Two fresh replicas, each with one thread; a handle to them."""
    deployment: Any = serve.deployment(name="Generation")(Counting)
    app = deployment.options(
        num_replicas=_REPLICAS,
        max_ongoing_requests=2 * _SLOTS,
        ray_actor_options={"num_cpus": 0.5},
    ).bind(warm=[get_settings().models.default], threads=1, adapter_bytes=kept_bytes, slots=_SLOTS)
    handle = serve.run(app, name="bench", route_prefix=None)
    return handle if way == "multiplexing" else Unnamed(handle)


async def counts(handle: Any) -> list[tuple[int, int]]:
    """Hits and misses of each replica."""
    plain = handle.handle if isinstance(handle, Unnamed) else handle
    seen: dict[int, tuple[int, int]] = {}
    while len(seen) < _REPLICAS:
        process, hits, misses = await plain.counts.remote()
        seen[process] = (hits, misses)
    return list(seen.values())


async def measure(resources: Resources, rate: float, count: int) -> dict[str, Any]:
    """Every way in every scenario."""
    bench = Bench(resources)
    kept_bytes = _KEPT * await bench.prepare()
    found: dict[str, Any] = {}
    for scenario in scenarios(rate, count):
        for way in WAYS:
            handle = await asyncio.to_thread(deploy, way, kept_bytes)
            runner = AffinityRunner if way == "claim affinity" else Runner
            seconds = await bench.run(scenario, handle, runner)
            by_replica = await counts(handle)
            hits, misses = (sum(side) for side in zip(*by_replica, strict=True))
            found.setdefault(scenario.name, {})[way] = {
                "hit_rate": hits / (hits + misses),
                "tasks_by_replica": [sum(one) for one in by_replica],
                "seconds": quantiles(seconds),
            }
            row = found[scenario.name][way]
            print(
                scenario.name,
                way,
                row["hit_rate"],
                row["tasks_by_replica"],
                row["seconds"]["p50"],
                row["seconds"]["p95"],
                row["seconds"]["p100"],
                file=sys.stderr,
                flush=True,
            )
            await asyncio.to_thread(serve.delete, "bench")
    return found


async def _main(home: Path, rate: float, count: int) -> dict[str, Any]:
    url = EmbeddedPostgres(home).start()
    try:
        settings = Settings(environment="test", home=home, database_url=SecretStr(url))
        async with open_resources(settings, gpu=False) as resources:
            return await measure(resources, rate, count)
    finally:
        EmbeddedPostgres(home).stop()


def main(output: str, rate: str = "8", count: str = "96") -> None:
    """Measure and write the numbers down."""
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="sartiq-routing-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        ray.init(
            num_cpus=4,
            include_dashboard=False,
            configure_logging=False,
            log_to_driver=False,
            object_store_memory=256 * 2**20,
        )
        try:
            serve.start(proxy_location="Disabled")
            found = asyncio.run(_main(home, float(rate), int(count)))
        finally:
            serve.shutdown()
            ray.shutdown()
        Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
