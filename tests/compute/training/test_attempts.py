"""Attempts of a training that end early: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import WorkerCrashedError
from sqlalchemy import func, select, text

from db.models import Adapter, Task, Training, TrainingCheckpoint, TrainingStep
from db.repositories import TaskQueue
from serve_app.backend.organizations.service import delete
from serve_app.compute.training.projection import TrainingProjection
from serve_app.core.storage.base import StorageUnavailable
from tests.fixtures.api import Gateway, Tenant, a_tenant
from tests.fixtures.trainers import LocalTrainer, begin, training_runner, until, weights_of
from training.contracts import Diverged, InvalidTraining, TrainingError, TrainingOutOfMemory


@pytest.fixture
async def owner(own_gateway: Gateway) -> AsyncIterator[Tenant]:
    async with a_tenant(own_gateway) as tenant:
        yield tenant


def objects(owner: Tenant, folder: str) -> list[Path]:
    """Stored objects by what their path holds."""
    root = owner.gateway.settings.home / "storage"
    return sorted(path for path in root.rglob("*") if path.is_file() and folder in str(path))


async def delivered(owner: Tenant, training: dict[str, Any]) -> bytes:
    (path,) = objects(owner, f"/loras/{owner.organization_id.hex}/{training['id']}/")
    return path.read_bytes()


async def count(owner: Tenant, kind: Any) -> int:
    async with owner.database.read() as session:
        return await session.scalar(select(func.count()).select_from(kind)) or 0


async def test_a_lost_worker_costs_the_steps_since_the_last_checkpoint(owner: Tenant) -> None:
    trainer = LocalTrainer(harm={4: [WorkerCrashedError()], 6: [WorkerCrashedError()]})
    async with training_runner(owner.gateway.resources, trainer):
        made = await begin(owner.compute)
        done = await until(owner.compute, made["id"], "completed")
    assert [one.checkpoint is not None for one in trainer.requests] == [False, True, True]
    assert [one["code"] for one in done["failures"]] == ["replica_lost"] * 2
    assert done["attempt"] == 3
    assert await delivered(owner, done) == weights_of(trainer.requests[0])
    history = (await owner.compute.get(f"/training/{made['id']}/metrics")).json()
    assert [one["step"] for one in history["steps"]] == [1, 2, 3, 4, 5, 6]
    assert [one["step"] for one in done["output"]["samples"]] == [3, 6]
    # The picture of the first attempt was replaced by that of the second.
    assert len(objects(owner, "/samples/")) == 2


async def test_a_lost_runner_s_training_resumes(owner: Tenant) -> None:
    """Its lease runs out; what it had stored is there for whoever comes next."""
    first = LocalTrainer(hold_at=5)
    async with training_runner(owner.gateway.resources, first):
        made = await begin(owner.compute)
        await first.held.wait()
        await _until_checkpoint(owner, 4)
        # Either runner may take it over, and then it goes on.
        first.hold_at = None
        second = LocalTrainer()
        async with training_runner(owner.gateway.resources, second):
            await _lose_lease(owner)
            done = await until(owner.compute, made["id"], "completed")
    assert [one["code"] for one in done["failures"]] == ["runner_lost"]
    requests = [*first.requests, *second.requests]
    assert b'"step": 4' in (requests[-1].checkpoint or b"")
    assert await delivered(owner, done) == weights_of(first.requests[0])


async def _lose_lease(owner: Tenant) -> None:
    """Expire the lease, again and again as its runner is alive, until somebody has noticed."""
    async with asyncio.timeout(10):
        while True:
            async with owner.database.write() as session:
                await session.execute(
                    text(
                        "UPDATE tasks SET lease_expires_at = now() - interval '1 second'"
                        " WHERE status = 'running' AND failures = '[]'"
                    )
                )
                if await session.scalar(select(Task.failures)):
                    return
            await asyncio.sleep(0.02)


async def _until_checkpoint(owner: Tenant, step: int) -> None:
    async with asyncio.timeout(10):
        while True:
            async with owner.database.read() as session:
                if await session.scalar(select(func.max(TrainingCheckpoint.step))) == step:
                    return
            await asyncio.sleep(0.02)


async def test_draining_hands_a_training_back_with_its_checkpoint(owner: Tenant) -> None:
    first, second = LocalTrainer(hold_at=5), LocalTrainer()
    resources = owner.gateway.resources
    async with training_runner(resources, first):
        made = await begin(owner.compute)
        await first.held.wait()
    assert first.closed == 1
    async with training_runner(resources, second):
        done = await until(owner.compute, made["id"], "completed")
    assert (done["attempt"], done["failures"]) == (2, [])
    assert second.requests[0].checkpoint is not None
    assert await delivered(owner, done) == weights_of(first.requests[0])


@pytest.mark.parametrize("harm", ["cut off", "removed", "of another run"])
async def test_a_checkpoint_that_is_of_no_use_is_passed_over(owner: Tenant, harm: str) -> None:
    trainer = LocalTrainer(hold_at=5)
    resources = owner.gateway.resources
    async with training_runner(resources, trainer):
        made = await begin(owner.compute)
        await trainer.held.wait()
        await _until_checkpoint(owner, 4)
    newest = objects(owner, "/checkpoints/")[-1]
    assert newest.name == "1-4.ckpt"
    match harm:
        case "cut off":
            newest.write_bytes(newest.read_bytes()[:-1])
        case "removed":
            newest.unlink()
        case _:
            await _replace_all(owner, b'{"run": "other"}')
    trainer.hold_at = None
    async with training_runner(resources, trainer):
        done = await until(owner.compute, made["id"], "completed")
    resumed = trainer.requests[-1].checkpoint
    assert resumed is None if harm == "of another run" else b'"step": 2' in (resumed or b"")
    assert await delivered(owner, done) == weights_of(trainer.requests[0])


async def _replace_all(owner: Tenant, data: bytes) -> None:
    for path in objects(owner, "/checkpoints/"):
        path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    async with owner.database.write() as session:
        await session.execute(
            text("UPDATE training_checkpoints SET sha256 = :digest"), {"digest": digest}
        )


async def test_out_of_memory_is_tried_once_more_with_half_of_the_batch(owner: Tenant) -> None:
    trainer = LocalTrainer(harm={4: [TrainingOutOfMemory("CUDA out of memory")]})
    async with training_runner(owner.gateway.resources, trainer):
        made = await begin(owner.compute, config={"batch_size": 4})
        done = await until(owner.compute, made["id"], "completed")
    parts = [(one.config.batch_size, one.config.accumulation) for one in trainer.requests]
    assert parts == [(4, 1), (4, 2)]
    assert trainer.requests[1].checkpoint is not None
    assert [one["code"] for one in done["failures"]] == ["out_of_memory"]
    assert done["output"]["accumulation"] == 2
    assert done["config"]["accumulation"] == 1


@pytest.mark.parametrize(("batch_size", "attempts"), [(4, 2), (1, 1)])
async def test_out_of_memory_for_good(owner: Tenant, batch_size: int, attempts: int) -> None:
    errors: list[Exception] = [TrainingOutOfMemory("CUDA out of memory") for _ in range(9)]
    async with training_runner(owner.gateway.resources, LocalTrainer(harm={1: errors})):
        made = await begin(owner.compute, config={"batch_size": batch_size})
        done = await until(owner.compute, made["id"], "failed")
    assert (done["attempt"], done["error_code"]) == (attempts, "out_of_memory")
    assert "CUDA out of memory" in done["error"]
    assert ("smaller resolution" in done["error"]) == (batch_size == 1)


@pytest.mark.parametrize(
    ("error", "code", "reason", "attempts"),
    [
        (InvalidTraining("too few"), "invalid_input", "Invalid input: too few", 1),
        (Diverged("the loss is nan"), "diverged", "the loss is nan", 1),
        (TrainingError("boom"), "training_failed", "boom", 2),
        (KeyError("password=hunter2"), "internal_error", "Internal error", 2),
        (WorkerCrashedError(), "replica_lost", "The process that worked on it was lost", 16),
    ],
)
async def test_a_failed_training_says_why(
    owner: Tenant, error: Exception, code: str, reason: str, attempts: int
) -> None:
    trainer = LocalTrainer(harm={1: [error] * 20})
    async with training_runner(owner.gateway.resources, trainer):
        made = await begin(owner.compute)
        done = await until_impatient(owner, made["id"])
    assert (done["status"], done["error_code"], done["error"]) == ("failed", code, reason)
    assert (done["attempt"], len(trainer.requests)) == (attempts, attempts)
    assert done["output"]["lora"] is None


async def until_impatient(owner: Tenant, training_id: str) -> dict[str, Any]:
    """The training when it has failed, without waiting before each of its attempts."""
    async with asyncio.timeout(30):
        while True:
            async with owner.database.write() as session:
                await session.execute(
                    text(
                        "UPDATE tasks SET available_at = now() WHERE status = 'pending' "
                        "AND available_at > now()"
                    )
                )
                await session.execute(text("UPDATE lanes SET wake_at = now()"))
            found: dict[str, Any] = (await owner.compute.get(f"/training/{training_id}")).json()
            if found["status"] == "failed":
                return found
            await asyncio.sleep(0.05)


async def test_a_run_that_hangs_is_given_up(owner: Tenant) -> None:
    trainer = LocalTrainer(hold_at=3)
    async with training_runner(owner.gateway.resources, trainer, stall_seconds=0.3):
        made = await begin(owner.compute)
        await trainer.held.wait()
        trainer.hold_at = None
        done = await until(owner.compute, made["id"], "completed")
    assert [one["code"] for one in done["failures"]] == ["timeout"]
    assert trainer.closed == 2


async def test_the_time_of_an_attempt_is_its_own_limit(owner: Tenant) -> None:
    trainer = LocalTrainer(hold_at=3)
    async with training_runner(owner.gateway.resources, trainer, attempt_seconds=2.0):
        made = await begin(owner.compute)
        await trainer.held.wait()
        trainer.hold_at = None
        done = await until(owner.compute, made["id"], "completed")
    assert "longer than 2 s" in done["failures"][0]["reason"]


async def test_an_attempt_without_a_lease_writes_nothing(owner: Tenant) -> None:
    """Another runner has taken the training over while this one was working on it."""
    trainer = LocalTrainer(hold_at=3)
    resources = owner.gateway.resources
    async with training_runner(resources, trainer):
        made = await begin(owner.compute)
        await trainer.held.wait()
        await until(owner.compute, made["id"], lambda one: (one["output"] or {}).get("metrics"))
        await _until_checkpoint(owner, 2)
        before = objects(owner, "storage/trainings"), await count(owner, TrainingStep)
        async with owner.database.write() as session:
            await session.execute(
                text("UPDATE tasks SET attempt = 2, runner_id = 'runner-b' WHERE id = :id"),
                {"id": made["id"]},
            )
        # It goes on as if nothing had happened.
        trainer.release()
        async with asyncio.timeout(5):
            while trainer.closed == 0:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
    assert (objects(owner, "storage/trainings"), await count(owner, TrainingStep)) == before
    assert await count(owner, Adapter) == 0
    assert objects(owner, "storage/loras") == []
    found = (await owner.compute.get(f"/training/{made['id']}")).json()
    assert (found["status"], found["output"]["metrics"]["current_step"]) == ("running", 2)


async def test_an_adapter_is_made_once(owner: Tenant) -> None:
    async with training_runner(owner.gateway.resources, LocalTrainer()):
        made = await begin(owner.compute)
        done = await until(owner.compute, made["id"], "completed")
    projection = TrainingProjection()
    async with owner.database.write() as session:
        task = await session.get_one(Task, made["id"])
        assert not await TaskQueue(session).settle_completed(task.id, task.attempt, {})
        await projection.settled(session, [made["id"]])
    await projection.catch_up(owner.database)
    assert await count(owner, Adapter) == 1
    again = (await owner.compute.get(f"/training/{made['id']}")).json()
    assert again["output"]["lora"]["id"] == done["output"]["lora"]["id"]


async def test_an_adapter_that_could_not_be_made_is_caught_up_with(owner: Tenant) -> None:
    async with owner.database.write() as session:
        await session.execute(
            text("ALTER TABLE adapters ADD CONSTRAINT never CHECK (version < 0) NOT VALID")
        )
    async with training_runner(owner.gateway.resources, LocalTrainer()):
        made = await begin(owner.compute)
        done = await until(owner.compute, made["id"], "completed")
        assert done["output"]["lora"] is None
        # Nothing is removed as long as it may be needed.
        assert len(objects(owner, "/checkpoints/")) == 2
        async with owner.database.write() as session:
            await session.execute(text("ALTER TABLE adapters DROP CONSTRAINT never"))
        async with asyncio.timeout(10):
            while await count(owner, Adapter) == 0:
                await asyncio.sleep(0.02)
    found = (await owner.compute.get(f"/training/{made['id']}")).json()
    assert found["output"]["lora"]["version"] == 1


async def test_a_storage_that_is_away_is_waited_for(
    owner: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = owner.gateway.resources
    store, failures = resources.store, 2
    put = store.put

    async def flaky(path: str, *rest: Any) -> Any:
        nonlocal failures
        if "/checkpoints/" in path and failures:
            failures -= 1
            raise StorageUnavailable("the network")
        return await put(path, *rest)

    monkeypatch.setattr(store, "put", flaky)
    async with training_runner(resources, LocalTrainer()):
        made = await begin(owner.compute)
        done = await until(owner.compute, made["id"], "completed")
    assert (failures, done["attempt"], done["failures"]) == (0, 1, [])


async def test_trainings_of_organizations_take_turns(owner: Tenant) -> None:
    """One that has queued many does not keep another from its turn."""
    trainer = LocalTrainer()
    async with a_tenant(owner.gateway) as other:
        many = [await begin(owner.compute, output_name=f"a{n}") for n in range(3)]
        one = await begin(other.compute, output_name="b")
        async with training_runner(owner.gateway.resources, trainer):
            await until(other.compute, one["id"], "completed")
            for made in many:
                await until(owner.compute, made["id"], "completed")
    order = [request.output_name for request in trainer.requests]
    assert order.index("b") <= 1, order


async def test_everything_goes_with_the_organization(owner: Tenant) -> None:
    trainer = LocalTrainer(hold_at=5)
    resources = owner.gateway.resources
    async with training_runner(resources, trainer):
        done = await begin(owner.compute, config={"steps": 4})
        await until(owner.compute, done["id"], "completed")
        await begin(owner.compute)
        await trainer.held.wait()
        await delete(resources, owner.organization_id)
        # What the run still sends finds no row.
        trainer.release()
        async with asyncio.timeout(5):
            while trainer.closed < 2:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
    assert await count(owner, Training) == 0
    assert objects(owner, owner.organization_id.hex) == []
