from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from db.repositories import ClaimedTask, Failure, TaskQueue
from tests.factories.pictures import picture
from tests.factories.tasks import claim, fail
from tests.fixtures.api import BASE_URL, Tenant

ID = re.compile(r"task_[0-9a-z]{26}")
UNKNOWN = "task_00000000000000000000000000"
FIELDS = {
    *("id", "type", "status", "progress", "priority", "attempt", "output", "error", "error_code"),
    *("created_at", "started_at", "completed_at", "queue_position", "eta"),
}


async def submit(tenant: Tenant, **body: Any) -> dict[str, Any]:
    """A generation of the body; the answer."""
    response = await tenant.compute.post("/tasks/generation", json={"prompt": "a dress", **body})
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task


async def create(tenant: Tenant, **body: Any) -> httpx.Response:
    return await tenant.compute.post("/tasks/", json=body)


async def upload(tenant: Tenant, data: bytes | None = None) -> dict[str, Any]:
    file = {"file": ("dress.png", data or picture(), "image/png")}
    response = await tenant.compute.post("/storage/images", files=file)
    assert response.status_code == 201, response.text
    image: dict[str, Any] = response.json()
    return image


async def generation(tenant: Tenant, task_id: str) -> dict[str, Any]:
    response = await tenant.compute.get(f"/tasks/generation/{task_id}")
    assert response.status_code == 200, response.text
    read: dict[str, Any] = response.json()
    return read


async def start(tenant: Tenant, task_id: str) -> ClaimedTask:
    """Claim the task, and whatever earlier tests have left waiting."""
    claimed = await claim(tenant.database, limit=10_000)
    return next(task for task in claimed if task.id == task_id)


async def complete(tenant: Tenant, task_id: str, path: str) -> None:
    task = await start(tenant, task_id)
    image = {
        "path": path,
        "width": 48,
        "height": 64,
        "seed": 7,
        "size": 1,
        "sha256": "0" * 64,
        "content_type": "image/png",
    }
    async with tenant.database.write() as session:
        output = {"images": [image]}
        assert await TaskQueue(session).settle_completed(task.id, task.attempt, output)


def moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


async def test_a_new_task_is_pending(tenant: Tenant) -> None:
    task = await submit(tenant)
    assert task.keys() == FIELDS
    assert ID.fullmatch(task["id"])
    assert (task["type"], task["status"], task["progress"]) == ("generation", "pending", 0)
    assert abs(moment(task["created_at"]) - datetime.now(UTC)).total_seconds() < 60
    absent = ("output", "error", "error_code", "started_at", "completed_at")
    assert [task[name] for name in absent] == [None] * len(absent)
    read = (await tenant.compute.get(f"/tasks/{task['id']}")).json()
    assert read.pop("queue_position") >= 1
    # The estimate depends on what other tests have measured.
    assert {**read, "queue_position": None, "eta": None} == task
    stored = await tenant.stored()
    assert (stored["tasks"], stored["events"]) == (1, 1)


async def test_defaults_come_from_the_catalog_and_a_seed_is_drawn(tenant: Tenant) -> None:
    read = await generation(tenant, (await submit(tenant))["id"])
    config = read["config"]
    seed = config.pop("seed")
    assert 0 <= seed < 2**32
    entry = tenant.gateway.resources.catalog["atelier-tiny"]
    assert config == {
        **entry.defaults.model_dump(),
        "model": "atelier-tiny",
        "prompt": "a dress",
        "num_outputs": 1,
        "output_format": "jpeg",
        "loras": [],
    }
    assert read["failures"] == []
    assert (await generation(tenant, read["id"]))["config"]["seed"] == seed
    another = await generation(tenant, (await submit(tenant))["id"])
    assert another["config"]["seed"] != seed


async def test_given_values_are_kept(tenant: Tenant) -> None:
    given: dict[str, Any] = {
        "prompt": "un été à l'大阪 🧵",
        "negative_prompt": "blurry",
        "model": "atelier-tiny",
        "num_outputs": 4,
        "steps": 30,
        "guidance_scale": 7.5,
        "image_guidance_scale": 2,
        "strength": 0.5,
        "width": 256,
        "height": 384,
        "seed": 0,
        "output_format": "webp",
    }
    task = await submit(tenant, **given, priority=5)
    assert task["priority"] == 5
    config = (await generation(tenant, task["id"]))["config"]
    assert {name: config[name] for name in given} == given


async def test_the_default_model_has_a_name(tenant: Tenant) -> None:
    task = await submit(tenant, model="default")
    assert (await generation(tenant, task["id"]))["config"]["model"] == "atelier-tiny"


async def test_a_picture_of_ours_is_used_where_it_lies(tenant: Tenant) -> None:
    image = await upload(tenant)
    task = await submit(tenant, input_image_url=image["url"])
    config = (await generation(tenant, task["id"]))["config"]
    assert f"/{image['path']}?" in config["input_image_url"]
    assert "input_image" not in config
    assert (await tenant.stored())["objects"] == 1


async def test_every_type_through_one_route(tenant: Tenant) -> None:
    image = await upload(tenant)
    for body in (
        {"type": "generation", "config": {"prompt": "a dress", "num_outputs": 2}},
        {
            "type": "processing",
            "config": {"operation": "upscale", "image_url": image["url"], "scale": 3},
        },
        {
            "type": "processing",
            "config": {"operation": "remove-background", "image_url": image["url"]},
            "priority": 3,
        },
    ):
        response = await create(tenant, **body)
        assert response.status_code == 201, response.text
        task = response.json()
        assert (task["type"], task["status"]) == (body["type"], "pending")
        assert task["priority"] == body.get("priority", 0)
    queues = {task.queue for task in await claim_all(tenant)}
    assert queues == {"generation", "upscaling", "background_removal"}


async def claim_all(tenant: Tenant) -> list[ClaimedTask]:
    claimed = []
    for queue in ("generation", "upscaling", "background_removal"):
        claimed += await claim(tenant.database, queue=queue, limit=10_000)
    return [task for task in claimed if task.organization_id == tenant.organization_id]


async def test_a_task_through_its_life(tenant: Tenant) -> None:
    image = await upload(tenant)
    task_id = (await submit(tenant))["id"]
    started = await start(tenant, task_id)
    running = (await tenant.compute.get(f"/tasks/{task_id}")).json()
    assert (running["status"], running["attempt"]) == ("running", 1)
    assert moment(running["started_at"]) >= moment(running["created_at"])
    async with tenant.database.write() as session:
        reason = Failure("out_of_memory", "CUDA out of memory")
        await TaskQueue(session).retry_later(started.id, started.attempt, reason, delay=0)
    await complete(tenant, task_id, image["path"])
    done = await generation(tenant, task_id)
    assert (done["status"], done["progress"], done["error"]) == ("completed", 1, None)
    assert moment(done["completed_at"]) >= moment(running["started_at"])
    (failure,) = done["failures"]
    assert failure.keys() == {"attempt", "at", "code", "reason"}
    assert (failure["attempt"], failure["code"]) == (1, "out_of_memory")
    moment(failure["at"])
    (made,) = done["output"]["images"]
    assert (made["seed"], made["width"], made["height"]) == (7, 48, 64)
    assert "path" not in made
    assert httpx.URL(made["url"]).host == httpx.URL(BASE_URL).host


async def test_a_failed_task_says_why(tenant: Tenant) -> None:
    task_id = (await submit(tenant))["id"]
    assert await fail(tenant.database, await start(tenant, task_id))
    task = (await tenant.compute.get(f"/tasks/{task_id}")).json()
    assert task["status"] == "failed"
    assert (task["error"], task["error_code"]) == ("the model raised", "inference_failed")
    assert task["output"] is None


async def test_waiting_ends_with_the_task(tenant: Tenant) -> None:
    task_id = (await submit(tenant))["id"]
    waiting = asyncio.create_task(tenant.compute.get(f"/tasks/{task_id}", params={"wait": 30}))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await tenant.compute.post(f"/tasks/{task_id}/cancel")
    async with asyncio.timeout(15):
        assert (await waiting).json()["status"] == "cancelled"


async def test_cancelling(tenant: Tenant) -> None:
    task_id = (await submit(tenant))["id"]
    cancelled = await tenant.compute.post(f"/tasks/{task_id}/cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["status"] == "cancelled"
    assert moment(cancelled.json()["completed_at"])
    assert task_id not in {task.id for task in await claim(tenant.database, limit=10_000)}
    again = await tenant.compute.post(f"/tasks/{task_id}/cancel")
    assert (again.status_code, again.json()) == (200, cancelled.json())
    assert (await tenant.stored())["events"] == 2


async def test_cancelling_what_runs_and_what_has_ended(tenant: Tenant) -> None:
    running = (await submit(tenant))["id"]
    await start(tenant, running)
    response = await tenant.compute.post(f"/tasks/{running}/cancel")
    assert response.json()["status"] == "cancelled"
    ended = (await submit(tenant))["id"]
    await complete(tenant, ended, (await upload(tenant))["path"])
    before = (await tenant.compute.get(f"/tasks/{ended}")).json()
    response = await tenant.compute.post(f"/tasks/{ended}/cancel")
    assert response.status_code == 200
    assert response.json()["status"] == "completed"
    assert response.json()["completed_at"] == before["completed_at"]


@pytest.mark.parametrize("task_id", [UNKNOWN, "task_abc123", "1", "täsk", "'; DROP TABLE tasks"])
async def test_unknown_tasks(tenant: Tenant, task_id: str) -> None:
    for method, path in (
        ("GET", f"/tasks/{task_id}"),
        ("GET", f"/tasks/generation/{task_id}"),
        ("POST", f"/tasks/{task_id}/cancel"),
    ):
        response = await tenant.compute.request(method, path)
        assert (response.status_code, response.json()) == (404, {"detail": "Task not found"})


async def test_only_generations_are_read_as_generations(tenant: Tenant) -> None:
    config = {"operation": "upscale", "image_url": (await upload(tenant))["url"]}
    task = (await create(tenant, type="processing", config=config)).json()
    assert (await tenant.compute.get(f"/tasks/generation/{task['id']}")).status_code == 404
    assert (await tenant.compute.get(f"/tasks/{task['id']}")).status_code == 200


async def test_lists_are_paged_newest_first(tenant: Tenant) -> None:
    ids = [(await submit(tenant))["id"] for _ in range(5)]
    first = (await tenant.compute.get("/tasks/", params={"size": 2})).json()
    assert (first["total"], first["page"], first["size"]) == (5, 1, 2)
    seen = [task["id"] for task in first["items"]]
    for page in (2, 3, 4):
        answer = (await tenant.compute.get("/tasks/", params={"size": 2, "page": page})).json()
        seen += [task["id"] for task in answer["items"]]
    assert seen == ids[::-1]
    whole = (await tenant.compute.get("/tasks/")).json()
    assert (whole["size"], len(whole["items"])) == (20, 5)
    assert whole["items"][0].keys() == FIELDS


async def test_lists_are_filtered(tenant: Tenant) -> None:
    pending, cancelled = [(await submit(tenant))["id"] for _ in range(2)]
    await tenant.compute.post(f"/tasks/{cancelled}/cancel")
    config = {"operation": "upscale", "image_url": (await upload(tenant))["url"]}
    processing = (await create(tenant, type="processing", config=config)).json()["id"]
    for params, expected in (
        ({"status": "cancelled"}, [cancelled]),
        ({"status": "pending"}, [processing, pending]),
        ({"type": "processing"}, [processing]),
        ({"type": "generation", "status": "pending"}, [pending]),
        ({"status": "running"}, []),
    ):
        answer = (await tenant.compute.get("/tasks/", params=params)).json()
        assert [task["id"] for task in answer["items"]] == expected
        assert answer["total"] == len(expected)
