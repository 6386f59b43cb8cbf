"""Ids of requests, and what is logged of them."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys

import pytest

from telemetry import context
from telemetry.logs import JsonLines, TextLines
from tests.factories.tasks import claim
from tests.fixtures.api import Gateway, Tenant


async def test_every_answer_has_an_id(tenant: Tenant) -> None:
    made = await tenant.compute.get("/tasks/")
    assert re.fullmatch(r"[0-9a-f]{32}", made.headers["X-Request-ID"])
    named = await tenant.compute.get("/tasks/", headers={"X-Request-ID": "mine-1"})
    assert named.headers["X-Request-ID"] == "mine-1"
    for bad in ("with space", "x" * 129, "a\tb", "é"):
        refused = await tenant.compute.get("/tasks/", headers={"X-Request-ID": bad.encode()})
        assert re.fullmatch(r"[0-9a-f]{32}", refused.headers["X-Request-ID"])


async def test_errors_have_one_too(gateway: Gateway) -> None:
    async with gateway.client(None) as anonymous:
        for path in ("/compute/api/v1/tasks/", "/nowhere", "/healthz"):
            response = await anonymous.get(path, headers={"X-Request-ID": "mine-2"})
            assert response.headers["X-Request-ID"] == "mine-2"


async def test_a_task_keeps_the_request_that_queued_it(tenant: Tenant) -> None:
    headers = {"X-Request-ID": "mine-3"}
    body = {"prompt": "a dress"}
    created = await tenant.compute.post("/tasks/generation", json=body, headers=headers)
    task_id = created.json()["id"]
    seen = await tenant.compute.get(f"/monitoring/tasks/{task_id}")
    assert seen.json()["request_id"] == "mine-3"
    claimed = {task.id: task for task in await claim(tenant.database, limit=10_000)}
    assert claimed[task_id].origin == {"request_id": "mine-3"}


async def test_requests_are_logged_with_who_asked(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(JsonLines("gateway").format(record))

    logger, keep = logging.getLogger("serve_app.core.requests"), Keep()
    logger.addHandler(keep)
    caplog.set_level(logging.INFO, logger.name)
    try:
        body = {"prompt": "a dress"}
        headers = {"X-Request-ID": "mine-4"}
        await tenant.compute.post("/tasks/generation", json=body, headers=headers)
        await tenant.compute.get("/tasks/")  # reads that go well are not worth a line
        await tenant.compute.get("/tasks/task_unknown", headers=headers)
    finally:
        logger.removeHandler(keep)
    created, missing = [json.loads(line) for line in seen]
    assert created["time"].endswith("Z")
    assert {name: created[name] for name in ("level", "message", "process", "request_id")} == {
        "level": "info",
        "message": "request",
        "process": "gateway",
        "request_id": "mine-4",
    }
    assert created["organization"] == str(tenant.organization_id)
    assert (created["operation"], created["status"]) == ("create_generation", 201)
    assert (missing["operation"], missing["status"]) == ("get_task", 404)


def test_lines_are_single_and_say_what_went_wrong() -> None:
    record = logging.LogRecord("db.x", logging.ERROR, "f.py", 1, "a\nb %s", ("c",), None)
    try:
        raise ValueError("why")
    except ValueError:
        record.exc_info = sys.exc_info()
    with context.known(request_id="r", task_id=None):
        line = JsonLines("runner").format(record)
        plain = TextLines("runner").format(record)
    assert "\n" not in line
    content = json.loads(line)
    assert (content["message"], content["request_id"]) == ("a\nb c", "r")
    assert content["traceback"].endswith("ValueError: why")
    assert "task_id" not in content
    assert "request_id=r" in plain
    assert context.fields() == {}


def test_a_process_writes_json_lines_to_standard_error() -> None:
    program = """
import logging
from telemetry.logs import configure_logs, log
configure_logs("json", "info", "gateway")
configure_logs("json", "info", "gateway")
log(logging.getLogger("serve_app.x"), logging.INFO, "hello", answer=42, nothing=None)
logging.getLogger("serve_app.x").debug("not this")
logging.getLogger("other").info("nor this")
logging.getLogger("other").warning("but this")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines] == ["hello", "but this"]
    assert lines[0]["answer"] == 42
    assert "nothing" not in lines[0]
