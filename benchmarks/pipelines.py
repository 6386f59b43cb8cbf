"""Many small workflows, here and in DBOS: `python -m benchmarks.pipelines SIDE COUNT STEPS`.

Each side is a process of its own on a database of its own, of one server. A workflow has some steps
that do nothing, one after the other; each of them is durable: what is done is not done again. The
clock runs from before the first workflow is made until the last one has completed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop
from pydantic import SecretStr
from sqlalchemy import func, select

from configs.settings import Settings
from db.models import StepStatus, Workflow, WorkflowStatus, WorkflowStep
from db.repositories.queue import NewTask
from db.repositories.scope import OrganizationScope
from db.repositories.workflow_runs import WorkflowRuns
from serve_app.backend.exports.projection import ExportProjection
from serve_app.backend.generations.projection import GenerationProjection
from serve_app.compute.runner.handlers import Handler, Work
from serve_app.compute.runner.runner import Runner
from serve_app.compute.tasks.configs import Config
from serve_app.compute.training.projection import TrainingProjection
from serve_app.compute.workflows.engine import Engine
from serve_app.compute.workflows.projection import WorkflowProjection
from serve_app.compute.workflows.steps import Inputs, Order, StepType
from serve_app.core.resources import Resources, open_resources

QUEUE = "nothing"
# Tasks that the runner holds at once.
SLOTS = 128
# Clients that make workflows at once.
CLIENTS = 8
_PLAN: Mapping[str, Any] = {"settled": {}, "given": {}, "pictures": {}}


class Nothing(Config):
    """The config of a step that does nothing."""


class NothingStep(StepType):
    """A task of the queue that does nothing."""

    model = Nothing

    def orders(self, plan: Mapping[str, Any], inputs: Inputs, priority: int) -> list[Order]:
        """See `StepType.orders`."""
        del plan, inputs
        return [Order(NewTask(type=QUEUE, queue=QUEUE, config={}, priority=priority))]


class NothingHandler:
    """Does it."""

    async def run(self, work: Work) -> dict[str, Any]:
        """See `Handler.run`."""
        del work
        return {"images": []}


class _AlwaysThere:
    """Capacity of a queue that the runner itself works on; see `ReplicaWatch`."""

    def capacity(self, queue: str) -> int:
        del queue
        return SLOTS

    def for_newcomers(self, queue: str) -> int:
        del queue
        return 0

    def look_soon(self) -> None:
        pass

    async def run(self, is_waited_for: Callable[[], bool]) -> None:
        del is_waited_for
        await asyncio.Event().wait()


TYPES: Mapping[str, StepType] = {QUEUE: NothingStep()}
HANDLERS: Mapping[str, Handler] = {QUEUE: NothingHandler()}


async def sartiq(count: int, steps: int) -> dict[str, Any]:
    """Workflows through the real queue and the real runner, with every observer that it has."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(
            home=Path(home),
            environment="test",
            database_url=SecretStr(os.environ["DATABASE_URL"]),
        )
        async with open_resources(settings, gpu=False) as resources:
            return await _run_sartiq(resources, count, steps)


async def _run_sartiq(resources: Resources, count: int, steps: int) -> dict[str, Any]:
    observers = (
        GenerationProjection(),
        ExportProjection(),
        TrainingProjection(),
        WorkflowProjection(TYPES),
    )
    watch: Any = _AlwaysThere()
    runner = Runner(
        "bench",
        resources,
        {QUEUE: None},
        lambda _wake: watch,
        observers=observers,
        handlers=HANDLERS,
    )
    await runner.start()
    numbers = iter(range(count))
    started = time.perf_counter()

    async def client() -> None:
        for _ in numbers:
            await _begin(resources, steps)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    made = time.perf_counter() - started
    scope = OrganizationScope(resources.default_organization)

    async def completed() -> int:
        async with resources.database.read() as session:
            query = select(func.count()).where(
                Workflow.organization_id == scope.organization_id,
                Workflow.status == WorkflowStatus.COMPLETED,
            )
            return await session.scalar(query) or 0

    async with asyncio.timeout(300):
        while await completed() < count:  # noqa: ASYNC110 - the database has no event for it
            await asyncio.sleep(0.02)
    seconds = time.perf_counter() - started
    await runner.drain()
    async with resources.database.read() as session:
        ended = await session.scalar(
            select(func.count()).where(WorkflowStep.status == StepStatus.COMPLETED)
        )
    assert ended == count * steps, f"{ended} steps have completed"
    return {"seconds": seconds, "making_seconds": made}


async def _begin(resources: Resources, steps: int) -> None:
    """Make a workflow and start it, as `POST /workflows/?start=true` does, in one transaction."""
    scope = OrganizationScope(resources.default_organization)
    async with resources.database.write() as session:
        runs = WorkflowRuns(session)
        run = await runs.add(
            scope,
            [
                {
                    "name": f"step-{number}",
                    "type": QUEUE,
                    "config": {},
                    "depends_on": [f"step-{number - 1}"] if number else [],
                    "input_mappings": {},
                }
                for number in range(steps)
            ],
            name="nothing",
        )
        for step in run.steps:
            step.plan = dict(_PLAN)
        engine = Engine(session, runs, TYPES)
        await engine.start(run)
        await engine.write([run])


def dbos(count: int, steps: int, *, threads: bool) -> dict[str, Any]:
    """The same of DBOS, in one of the two ways that it has: functions in threads, or coroutines."""
    from dbos import DBOS  # noqa: PLC0415 - of the development tools

    # Twice as many connections as ours.
    DBOS(
        config={
            "name": "bench",
            "system_database_url": os.environ["DATABASE_URL"],
            "sys_db_pool_size": 40,
            "max_executor_threads": 64,
            "log_level": "ERROR",
        }
    )

    @DBOS.step()
    def nothing() -> dict[str, Any]:
        return {"images": []}

    @DBOS.step()
    async def nothing_async() -> dict[str, Any]:
        return {"images": []}

    @DBOS.workflow()
    def pipeline() -> int:
        for _ in range(steps):
            nothing()
        return steps

    @DBOS.workflow()
    async def pipeline_async() -> int:
        for _ in range(steps):
            await nothing_async()
        return steps

    async def in_coroutines() -> float:
        room = asyncio.Semaphore(SLOTS)

        async def one() -> int:
            async with room:
                handle = await DBOS.start_workflow_async(pipeline_async)
                return await handle.get_result()

        DBOS.launch()
        started = time.perf_counter()
        results = await asyncio.gather(*(one() for _ in range(count)))
        assert sum(results) == count * steps
        return time.perf_counter() - started

    def in_threads() -> float:
        DBOS.launch()
        started = time.perf_counter()
        handles = [DBOS.start_workflow(pipeline) for _ in range(count)]
        assert sum(handle.get_result() for handle in handles) == count * steps
        return time.perf_counter() - started

    seconds = in_threads() if threads else uvloop.run(in_coroutines())
    DBOS.destroy()
    return {"seconds": seconds}


SIDES: Mapping[str, Callable[[int, int], dict[str, Any]]] = {
    "sartiq": lambda count, steps: uvloop.run(sartiq(count, steps)),
    "dbos-threads": lambda count, steps: dbos(count, steps, threads=True),
    "dbos-async": lambda count, steps: dbos(count, steps, threads=False),
}


def main(arguments: Sequence[str]) -> None:
    """``side count steps``, on ``DATABASE_URL``; prints JSON."""
    side, count, steps = arguments[0], int(arguments[1]), int(arguments[2])
    measured = SIDES[side](count, steps)
    speed = count * steps / measured["seconds"]
    print(json.dumps({"side": side, "steps_per_second": speed, **measured}))
    sys.stdout.flush()
    # DBOS leaves threads that wait for something.
    if "PROF" not in os.environ:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
