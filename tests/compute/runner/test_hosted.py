"""Tasks of hosted providers through queue and runner, on a real database and a real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select, text

from configs.settings import Settings
from db.models import HostedCall, HostedState, TaskStatus
from db.repositories import OrganizationScope, TaskQueue
from serve_app.core import orders
from serve_app.core.fetch import check_url
from serve_app.core.images import inspect_image, read_recipe
from serve_app.core.orders import ImageReference
from serve_app.core.providers.breaker import circuits
from serve_app.core.resources import Resources
from tests.compute.runner.hosted import (
    PUBLIC_URL,
    completed,
    ended,
    generation,
    hosted_settings,
    of_fal,
    queue,
    read,
    resources_of,
    running,
)
from tests.factories.adapters import store_adapter
from tests.factories.lora_files import lora_file
from tests.factories.pictures import picture
from tests.fixtures.hosted.fal import FakeFal, hangs_up, says


@pytest.fixture
async def resources(
    own_database_url: str, tmp_path: Path, fal: FakeFal
) -> AsyncIterator[Resources]:
    async with resources_of(hosted_settings(tmp_path, own_database_url, **of_fal(fal))) as opened:
        yield opened


async def call_of(resources: Resources, task_id: str, part: int = 0) -> HostedCall:
    async with resources.database.read() as session:
        return await session.get_one(HostedCall, (task_id, part))


async def until(condition: object, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def stored_picture(resources: Resources) -> ImageReference:
    path = f"inputs/{resources.default_organization.hex}/shown.png"
    await resources.store.put(path, picture(64, 64))
    return ImageReference(path, "0" * 64)


async def test_images_become_ours(resources: Resources, fal: FakeFal) -> None:
    async with running(resources):
        (task_id,) = await queue(resources, generation(resources, num_outputs=2, seed=5))
        task = await completed(resources, task_id)
    assert task.queue == "fal"
    images = task.output["images"]
    assert [image["seed"] for image in images] == [5, 6]
    data = await resources.store.get(images[0]["path"])
    assert inspect_image(data).width == 256
    recipe = read_recipe(data)
    assert recipe is not None
    assert recipe["provider"] == "fal"
    call = await call_of(resources, task_id)
    assert (call.state, call.submissions) == (HostedState.FINISHED, 1)
    # 2 images of 0.065536 megapixels.
    assert call.cost_usd == Decimal("0.004588")


async def test_a_local_platform_has_none_of_them(own_database_url: str, tmp_path: Path) -> None:
    async with resources_of(hosted_settings(tmp_path, own_database_url)) as bare:
        assert "fal-flux-lora" not in {entry.name for entry in bare.models}
        with pytest.raises(Exception, match="no key"):
            generation(bare)


async def test_our_loras_go_by_signed_url(resources: Resources, fal: FakeFal) -> None:
    scope = OrganizationScope(resources.default_organization)
    adapter = await store_adapter(resources, scope, lora_file(), base_model="fal-flux-lora")
    pins = [
        {"id": str(adapter.id), "name": "mira", "version": 1, "sha256": "", "weight": 0.7},
    ]
    async with running(resources):
        (task_id,) = await queue(resources, generation(resources, loras=pins))
        await completed(resources, task_id)
    (job,) = fal.jobs.values()
    (lora,) = job.arguments["loras"]
    assert lora["scale"] == pytest.approx(0.7)
    assert lora["path"].startswith(PUBLIC_URL)
    assert resources.signer.verify_url(lora["path"], [PUBLIC_URL])
    check_url(lora["path"])


async def test_operations_on_pictures(resources: Resources, fal: FakeFal) -> None:
    source = (await stored_picture(resources)).as_dict()
    config = {"image": source, "provider": "fal", "output_format": "png"}
    upscale = orders.processing(config | {"operation": "upscale", "scale": 2})
    cut_out = orders.processing(config | {"operation": "remove-background"})
    async with running(resources):
        for task_id in await queue(resources, upscale, cut_out):
            assert len((await completed(resources, task_id)).output["images"]) == 1
    assert {job.app for job in fal.jobs.values()} == {"fal-ai/esrgan", "fal-ai/birefnet/v2"}


async def test_a_new_runner_goes_on_with_the_job(resources: Resources, fal: FakeFal) -> None:
    fal.seconds = 2.0
    (task_id,) = await queue(resources, generation(resources))
    async with running(resources):
        await until(lambda: fal.jobs and next(iter(fal.jobs.values())).looks)
    assert (await read(resources, task_id)).status is TaskStatus.PENDING
    async with running(resources, runner_id="runner-b"):
        await completed(resources, task_id)
    assert len(fal.jobs) == 1
    assert not next(iter(fal.jobs.values())).cancelled


async def test_a_call_that_was_being_handed_in_is_not_sent_again(
    resources: Resources, fal: FakeFal
) -> None:
    """What a runner leaves that is killed between the two commits."""
    (task_id,) = await queue(resources, generation(resources))
    async with resources.database.write() as session:
        await session.execute(
            text(
                "INSERT INTO hosted_calls (task_id, part, organization_id, provider, endpoint,"
                " state) VALUES (:id, 0, :organization, 'fal', 'fal-ai/flux-lora', 'submitting')"
            ),
            {"id": task_id, "organization": resources.default_organization},
        )
    async with running(resources):
        task = await ended(resources, task_id)
    assert (task.status, task.error_code) == (TaskStatus.FAILED, "hosted_outcome_unknown")
    assert fal.jobs == {}


async def test_cancelling_reaches_the_provider(resources: Resources, fal: FakeFal) -> None:
    fal.seconds = 60
    scope = OrganizationScope(resources.default_organization)
    async with running(resources):
        (task_id,) = await queue(resources, generation(resources))
        await until(lambda: fal.jobs and next(iter(fal.jobs.values())).looks)
        async with resources.database.write() as session:
            await TaskQueue(session).cancel(scope, task_id)
        await until(lambda: next(iter(fal.jobs.values())).cancelled)
        await asyncio.sleep(0.1)
    assert (await call_of(resources, task_id)).state is HostedState.CANCELLED


async def test_a_cancel_while_it_is_handed_in_reaches_it_too(
    own_database_url: str, tmp_path: Path, fal: FakeFal
) -> None:
    fal.seconds = 60
    fal.hold_submit = asyncio.Event()
    # A busy machine must not make a time-out of what is held back here.
    patient = of_fal(fal, request_seconds=30.0)
    async with (
        resources_of(hosted_settings(tmp_path, own_database_url, **patient)) as resources,
        running(resources),
    ):
        (task_id,) = await queue(resources, generation(resources))
        await until(lambda: fal.jobs)
        scope = OrganizationScope(resources.default_organization)
        async with resources.database.write() as session:
            await TaskQueue(session).cancel(scope, task_id)
        await asyncio.sleep(0.2)
        fal.hold_submit.set()
        await until(lambda: next(iter(fal.jobs.values())).cancelled)


async def test_jobs_that_no_runner_held_are_cancelled_later(
    resources: Resources, fal: FakeFal
) -> None:
    fal.seconds = 60
    scope = OrganizationScope(resources.default_organization)
    (task_id,) = await queue(resources, generation(resources))
    async with running(resources):
        await until(lambda: fal.jobs and next(iter(fal.jobs.values())).looks)
    async with resources.database.write() as session:
        await TaskQueue(session).cancel(scope, task_id)
        await session.execute(
            text("UPDATE tasks SET completed_at = now() - interval '1 minute' WHERE id = :id"),
            {"id": task_id},
        )
    async with running(resources, runner_id="runner-b"):
        await until(lambda: next(iter(fal.jobs.values())).cancelled)


async def test_a_pause_that_is_asked_for_is_kept(resources: Resources, fal: FakeFal) -> None:
    fal.on_submit.append(says(429, "slow down", retry_after="2"))
    async with running(resources):
        (task_id,) = await queue(resources, generation(resources))
        task = await completed(resources, task_id)
    (failure,) = task.failures
    assert failure["code"] == "hosted_rate_limited"
    assert (task.claimed_at - task.created_at).total_seconds() >= 2.0
    assert (await call_of(resources, task_id)).submissions == 2


async def test_broken_looks_do_not_lose_the_job(resources: Resources, fal: FakeFal) -> None:
    fal.seconds = 0.5
    fal.on_status.extend([hangs_up, says(503, "restarting")])
    async with running(resources):
        (task_id,) = await queue(resources, generation(resources))
        task = await completed(resources, task_id)
    assert task.failures == []
    assert len(fal.jobs) == 1


@pytest.mark.parametrize(
    ("status", "detail", "code"),
    [
        (422, [{"msg": "no", "type": "content_policy_violation"}], "hosted_refused"),
        (402, "no balance", "hosted_quota"),
        (401, "key is not valid", "hosted_key_refused"),
        (422, [{"msg": "bad", "type": "value_error"}], "hosted_invalid"),
    ],
)
async def test_what_will_not_change_is_not_tried_again(
    resources: Resources, fal: FakeFal, status: int, detail: object, code: str
) -> None:
    fal.on_submit.append(says(status, detail))
    async with running(resources):
        (task_id,) = await queue(resources, generation(resources))
        task = await ended(resources, task_id)
    assert (task.status, task.error_code) == (TaskStatus.FAILED, code)
    assert len(task.failures) == 1
    assert task.error.startswith("fal ")


async def test_failures_in_a_row_open_the_circuit_for_everybody(
    own_database_url: str, tmp_path: Path, fal: FakeFal
) -> None:
    changes = of_fal(fal, breaker_failures=2, breaker_seconds=2.0)
    settings: Settings = hosted_settings(tmp_path, own_database_url, **changes)
    async with resources_of(settings) as resources:
        fal.on_submit.extend([says(500, "broken")] * 2)
        async with running(resources):
            first = await queue(resources, generation(resources), generation(resources))
            await until(lambda: len(fal.headers) == 2)
            await asyncio.sleep(0.2)
            (later,) = await queue(resources, generation(resources))
            async with asyncio.timeout(10):
                while not (task := await read(resources, later)).failures:
                    await asyncio.sleep(0.02)
            assert task.failures[0]["code"] == "hosted_circuit_open"
            async with resources.database.read() as session:
                now = await session.scalar(select(text("clock_timestamp()")))
                (circuit,) = await circuits(session, ("fal",), now)
            assert circuit.state == "open"
            assert circuit.reason.startswith("hosted_unavailable")
            for task_id in [*first, later]:
                await completed(resources, task_id)
            async with resources.database.read() as session:
                (circuit,) = await circuits(session, ("fal",), now)
            assert circuit.state == "closed"


async def test_the_key_is_nowhere_in_the_database(resources: Resources, fal: FakeFal) -> None:
    fal.on_submit.append(says(400, f"bad header Authorization: Key {fal.key}"))
    async with running(resources):
        good, bad = await queue(resources, generation(resources), generation(resources))
        await ended(resources, good)
        await ended(resources, bad)
    async with resources.database.read() as session:
        tables = await session.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        )
        for table in tables.all():
            rows = await session.scalars(text(f"SELECT to_jsonb(t) FROM {table} t"))
            assert fal.key not in json.dumps(rows.all(), default=str), table
    assert await read(resources, good)
