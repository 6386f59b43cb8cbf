"""Gemini through its official client, against its protocol on loopback."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from configs.settings import ProviderSettings
from serve_app.core.llm.answers import Visibility, schema_of
from serve_app.core.providers.base import ImageOrder, Job, Outcome, Picture, Running, TextOrder
from serve_app.core.providers.errors import (
    HostedError,
    HostedFailed,
    HostedInvalid,
    HostedKeyRefused,
    HostedQuota,
    HostedRateLimited,
    HostedRefused,
    HostedTruncated,
    HostedUnavailable,
)
from serve_app.core.providers.gemini import Gemini
from tests.factories.pictures import picture
from tests.fixtures.hosted.gemini import FakeGemini, Fault, says


def text_order(**changes: Any) -> TextOrder:
    values: dict[str, Any] = {
        "endpoint": "gemini-2.5-flash",
        "instructions": "Be brief.",
        "parts": ("hello",),
    }
    return TextOrder(**values | changes)


def image_order(**changes: Any) -> ImageOrder:
    values: dict[str, Any] = {
        "endpoint": "gemini-2.5-flash-image",
        "prompt": "the dress on a model",
        "width": 512,
        "height": 768,
        "num_images": 1,
        "seed": 1,
        "steps": 1,
        "guidance_scale": 0.0,
        "strength": 1.0,
    }
    return ImageOrder(**values | changes)


@pytest.fixture
async def client(gemini: FakeGemini) -> AsyncIterator[Gemini]:
    settings = ProviderSettings(base_url=gemini.url, request_seconds=2.0)
    opened = Gemini(SecretStr(gemini.key), settings)
    yield opened
    await opened.aclose()


async def finished(client: Gemini, job: Job | Outcome) -> Outcome:
    assert isinstance(job, Job)
    async with asyncio.timeout(10):
        while not isinstance(status := await client.poll(job), Outcome):
            await asyncio.sleep(0.02)
    return status


async def test_an_image_from_references(client: Gemini, gemini: FakeGemini) -> None:
    shown = Picture(picture(), "image/png")
    outcome = await finished(client, await client.submit(image_order(images=(shown, shown))))
    (file,) = outcome.files
    assert file.data is not None
    assert file.data[:2] == b"\xff\xd8"
    (begun,) = gemini.interactions.values()
    assert begun.body["response_format"]["aspect_ratio"] == "2:3"
    (step,) = begun.body["input"]
    assert [part["type"] for part in step["content"]] == ["image", "image", "text"]
    assert base64.b64decode(step["content"][0]["data"]) == shown.data


async def test_an_answer_of_a_schema(client: Gemini, gemini: FakeGemini) -> None:
    gemini.answer = '{"is_visible": true}'
    job = await client.submit(text_order(schema=schema_of(Visibility)))
    outcome = await finished(client, job)
    assert outcome.text == '{"is_visible": true}'
    assert outcome.usage == {"input_tokens": 300, "output_tokens": 100}
    (begun,) = gemini.interactions.values()
    assert begun.body["system_instruction"] == "Be brief."
    assert begun.body["response_format"]["schema"]["required"][0] == "is_visible"


async def test_cancel_reaches_it(client: Gemini, gemini: FakeGemini) -> None:
    gemini.seconds = 60
    job = await client.submit(image_order())
    assert isinstance(job, Job)
    assert isinstance(await client.poll(job), Running)
    await client.cancel(job)
    assert gemini.interactions[job.id].cancelled
    await client.cancel(Job("gemini-2.5-flash-image", "gone"))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (says(429, "RESOURCE_EXHAUSTED", "Too many requests", retry_after="4"), HostedRateLimited),
        (says(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota"), HostedQuota),
        (says(503, "UNAVAILABLE", "The model is overloaded"), HostedUnavailable),
        (says(500, "INTERNAL", "broken"), HostedUnavailable),
        (says(400, "INVALID_ARGUMENT", "bad request"), HostedInvalid),
        (says(400, "INVALID_ARGUMENT", "blocked by safety settings"), HostedRefused),
        (says(403, "PERMISSION_DENIED", "no"), HostedKeyRefused),
    ],
)
async def test_each_fault_is_one_clear_error(
    client: Gemini, gemini: FakeGemini, fault: Fault, kind: type[HostedError]
) -> None:
    gemini.on_create.append(fault)
    with pytest.raises(HostedError) as caught:
        await client.submit(text_order())
    assert type(caught.value) is kind, repr(caught.value)
    assert gemini.interactions == {}
    if kind is HostedRateLimited:
        assert caught.value.retry_after == 4.0


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        ("failed", "blocked: prohibited content", HostedRefused),
        ("failed", "the model crashed", HostedFailed),
        ("incomplete", "", HostedTruncated),
        ("budget_exceeded", "", HostedQuota),
    ],
)
async def test_interactions_that_end_otherwise(
    client: Gemini, gemini: FakeGemini, status: str, message: str, kind: type[HostedError]
) -> None:
    gemini.status, gemini.message = status, message
    with pytest.raises(kind):
        await finished(client, await client.submit(text_order()))


async def test_a_wrong_key_is_told_and_never_shown(
    gemini: FakeGemini, caplog: pytest.LogCaptureFixture
) -> None:
    opened = Gemini(SecretStr("AIza-wrong-one"), ProviderSettings(base_url=gemini.url))
    with caplog.at_level(logging.DEBUG), pytest.raises(HostedKeyRefused) as caught:
        await opened.submit(text_order())
    await opened.aclose()
    assert "AIza-wrong-one" not in f"{caught.value!r} {opened!r} {caplog.text}"
