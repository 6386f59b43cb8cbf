"""Claude through its official client, against its protocol on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from configs.settings import ProviderSettings
from serve_app.core.llm.answers import Verdict, schema_of
from serve_app.core.providers.base import Outcome, Picture, TextOrder
from serve_app.core.providers.claude import Claude
from serve_app.core.providers.errors import (
    HostedError,
    HostedInvalid,
    HostedKeyRefused,
    HostedMalformed,
    HostedQuota,
    HostedRateLimited,
    HostedRefused,
    HostedTimeout,
    HostedTruncated,
    HostedUnavailable,
)
from tests.factories.pictures import picture
from tests.fixtures.hosted.claude import (
    FakeClaude,
    Fault,
    closing,
    event,
    hangs,
    opening,
    says,
    streams,
)

MODEL = "claude-haiku-4-5"
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def order(**changes: Any) -> TextOrder:
    values: dict[str, Any] = {"endpoint": MODEL, "instructions": "Be brief.", "parts": ("hello",)}
    return TextOrder(**values | changes)


@pytest.fixture
async def client(claude: FakeClaude) -> AsyncIterator[Claude]:
    settings = ProviderSettings(base_url=claude.url, request_seconds=1.0)
    opened = Claude(SecretStr(claude.key), settings)
    yield opened
    await opened.aclose()


async def test_pictures_and_a_schema_go_along(client: Claude, claude: FakeClaude) -> None:
    claude.answer = '{"a": 1}'
    shown = Picture(picture(), "image/png")
    outcome = await client.submit(order(parts=(shown, "data"), schema=schema_of(Verdict)))
    assert isinstance(outcome, Outcome)
    assert outcome.text == '{"a": 1}'
    assert outcome.usage == {"input_tokens": 1000, "output_tokens": 200}
    (asked,) = claude.asked
    assert asked["system"] == "Be brief."
    image, text = asked["messages"][0]["content"]
    assert image["source"]["media_type"] == "image/png"
    assert text == {"type": "text", "text": "data"}
    assert asked["output_config"]["format"]["schema"]["required"][0] == "product_match"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (says(429, "rate_limit_error", "slow", retry_after="9"), HostedRateLimited),
        (says(529, "overloaded_error", "Overloaded"), HostedUnavailable),
        (says(500, "api_error", "broken"), HostedUnavailable),
        (says(504, "timeout_error", "late"), HostedTimeout),
        (says(400, "invalid_request_error", "too large"), HostedInvalid),
        (says(400, "invalid_request_error", "Your credit balance is too low"), HostedQuota),
        (says(402, "billing_error", "pay"), HostedQuota),
        (says(403, "permission_error", "no"), HostedKeyRefused),
        (hangs, HostedTimeout),
        (streams(*opening(MODEL), OVERLOADED), HostedUnavailable),
        (streams(*opening(MODEL)), HostedTruncated),
        (streams(*opening(MODEL), length=10_000), HostedTruncated),
        (streams(*opening(MODEL), *closing("no", "refusal")), HostedRefused),
        (streams(*opening(MODEL), *closing("half of", "max_tokens")), HostedTruncated),
        (streams(b"event: message_start\ndata: {not json\n\n"), HostedMalformed),
        (streams(b"<html>maintenance</html>"), HostedMalformed),
    ],
)
async def test_each_fault_is_one_clear_error(
    client: Claude, claude: FakeClaude, fault: Fault, kind: type[HostedError]
) -> None:
    claude.faults.append(fault)
    with pytest.raises(HostedError) as caught:
        await client.submit(order())
    assert type(caught.value) is kind, repr(caught.value)
    assert len(claude.asked) == 1
    if kind is HostedRateLimited:
        assert caught.value.retry_after == 9.0


async def test_hanging_up_reaches_it(client: Claude, claude: FakeClaude) -> None:
    claude.seconds = 60
    asking = asyncio.create_task(client.submit(order()))
    async with asyncio.timeout(5):
        while not claude.asked:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        asking.cancel()
        while not claude.hung_up:
            await asyncio.sleep(0.01)


async def test_a_wrong_key_is_told_and_never_shown(
    claude: FakeClaude, caplog: pytest.LogCaptureFixture
) -> None:
    opened = Claude(SecretStr("sk-ant-wrong-one"), ProviderSettings(base_url=claude.url))
    with caplog.at_level(logging.DEBUG), pytest.raises(HostedKeyRefused) as caught:
        await opened.submit(order())
    await opened.aclose()
    assert "sk-ant-wrong-one" not in f"{caught.value!r} {opened!r} {caplog.text}"
