"""Keys of providers, and signed URLs, appear in nothing that is kept or shown: the whole database,
every event, every error, every line of the log, whatever a provider says."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from serve_app.core import orders
from serve_app.core.resources import Resources
from tests.compute.runner.hosted import (
    ended,
    generation,
    hosted_settings,
    queue,
    refuse,
    resources_of,
    running,
)
from tests.fixtures.hosted import claude as of_claude
from tests.fixtures.hosted import fal as of_fal
from tests.fixtures.hosted import gemini as of_gemini
from tests.fixtures.hosted.claude import FakeClaude
from tests.fixtures.hosted.fal import FakeFal
from tests.fixtures.hosted.gemini import FakeGemini
from tests.fixtures.hosted.platform import keys_of

PROVIDERS = ("claude", "gemini", "fal")


@pytest.fixture
async def resources(
    own_database_url: str, tmp_path: Path, claude: FakeClaude, gemini: FakeGemini, fal: FakeFal
) -> AsyncIterator[Resources]:
    settings = hosted_settings(
        tmp_path, own_database_url, **keys_of(claude, gemini, fal, breaker_seconds=0.2)
    )
    async with resources_of(settings) as opened:
        yield opened


async def dump(resources: Resources) -> str:
    """Every row of every table."""
    rows: list[Any] = []
    async with resources.database.read() as session:
        tables = await session.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        )
        for table in tables.all():
            rows += (await session.scalars(text(f"SELECT to_jsonb(t) FROM {table} t"))).all()
    return json.dumps(rows, default=str)


def question(resources: Resources, model: str) -> Any:
    config = {"operation": "prompt", "prompt": "what is linen?", "model": model}
    return orders.question(orders.settle_question(resources, config, refuse))


def ask(resources: Resources, provider: str) -> Any:
    if provider == "fal":
        return generation(resources)
    return question(resources, {"claude": "claude-haiku", "gemini": "gemini-flash"}[provider])


def repeats_the_key(provider: str, server: Any, status: int) -> None:
    """The next answer is an error that has the key in it."""
    said = f"bad request: Authorization: Bearer {server.key}, x-api-key={server.key}"
    match provider:
        case "claude":
            server.faults.append(of_claude.says(status, "invalid_request_error", said))
        case "gemini":
            server.on_create.append(of_gemini.says(status, "INVALID_ARGUMENT", said))
        case "fal":
            server.on_submit.append(of_fal.says(status, said))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_key_is_kept_and_told_nowhere(
    provider: str,
    resources: Resources,
    claude: FakeClaude,
    gemini: FakeGemini,
    fal: FakeFal,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server: Any = {"claude": claude, "gemini": gemini, "fal": fal}[provider]
    if provider != "fal":
        server.answer = "A fabric."
    # All that any library would say, too: the clients log their requests and headers.
    caplog.set_level(logging.DEBUG)
    errors = []
    async with running(resources):
        for status in (400, 401, 403, None):
            if status is not None:
                repeats_the_key(provider, server, status)
            (task_id,) = await queue(resources, ask(resources, provider))
            task = await ended(resources, task_id)
            errors.append((task.status.value, task.error_code, task.error))
    assert [status for status, _, _ in errors] == ["failed"] * 3 + ["completed"], errors
    kept = await dump(resources)
    assert provider in kept
    assert "hosted_" in kept
    printed = capfd.readouterr()
    logged = "\n".join(f"{one.getMessage()} {one.exc_text} {one.args}" for one in caplog.records)
    parts = [server.key, *(part for part in server.key.split(":") if "secret" in part)]
    for secret in parts:
        for where, found in {
            "database": kept,
            "errors": json.dumps(errors),
            "log": logged,
            "stdout": printed.out,
            "stderr": printed.err,
            "settings": repr(resources.settings),
        }.items():
            assert secret not in found, where
