"""fal through its official client, against its protocol on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from configs.settings import ProviderSettings
from serve_app.core.providers.base import (
    HostedLora,
    ImageOrder,
    Job,
    Outcome,
    Picture,
    PictureOrder,
    Running,
    TrainingOrder,
)
from serve_app.core.providers.errors import (
    HostedError,
    HostedFailed,
    HostedInvalid,
    HostedKeyRefused,
    HostedMalformed,
    HostedOutcomeUnknown,
    HostedQuota,
    HostedRateLimited,
    HostedRefused,
    HostedUnavailable,
)
from serve_app.core.providers.fal import Fal
from tests.factories.pictures import picture
from tests.fixtures.hosted.fal import FakeFal, Fault, garbage, hangs, hangs_up, says


def image_order(**changes: Any) -> ImageOrder:
    values: dict[str, Any] = {
        "endpoint": "fal-ai/flux-lora",
        "prompt": "a red dress",
        "width": 64,
        "height": 96,
        "num_images": 2,
        "seed": 11,
        "steps": 4,
        "guidance_scale": 3.5,
        "strength": 0.8,
    }
    return ImageOrder(**values | changes)


def provider(fal: FakeFal, key: str | None = None) -> Fal:
    settings = ProviderSettings(base_url=fal.url, request_seconds=1.0, call_seconds=30.0)
    return Fal(SecretStr(key or fal.key), settings)


@pytest.fixture
async def client(fal: FakeFal) -> AsyncIterator[Fal]:
    opened = provider(fal)
    yield opened
    await opened.aclose()


async def finished(client: Fal, job: Job) -> Outcome:
    async with asyncio.timeout(10):
        while not isinstance(status := await client.poll(job), Outcome):
            await asyncio.sleep(0.02)
    return status


async def test_text_and_loras_to_images(client: Fal, fal: FakeFal) -> None:
    loras = tuple(HostedLora(f"https://studio.example/{n}.safetensors", 0.2 * n) for n in range(4))
    job = await client.submit(image_order(loras=loras))
    outcome = await finished(client, job)
    assert len(outcome.files) == 2
    assert outcome.seed == 11
    sent = fal.jobs[job.id]
    assert sent.app == "fal-ai/flux-lora"
    assert sent.arguments["image_size"] == {"width": 64, "height": 96}
    assert sent.arguments["num_inference_steps"] == 4
    assert sent.arguments["loras"][3] == {
        "path": "https://studio.example/3.safetensors",
        "scale": pytest.approx(0.6),
    }


async def test_pictures_go_along(client: Fal, fal: FakeFal) -> None:
    shown = Picture(picture(), "image/png")
    one = await client.submit(image_order(images=(shown,), strength=0.4))
    many = await client.submit(
        image_order(endpoint="fal-ai/flux-pro/kontext/max/multi", images=(shown, shown))
    )
    assert fal.jobs[one.id].arguments["strength"] == pytest.approx(0.4)
    assert fal.jobs[one.id].arguments["image_url"].startswith("data:image/png;base64,")
    assert len(fal.jobs[many.id].arguments["image_urls"]) == 2
    assert fal.jobs[many.id].arguments["aspect_ratio"] == "2:3"


async def test_operations_and_training(client: Fal, fal: FakeFal) -> None:
    shown = Picture(picture(), "image/png")
    job = await client.submit(PictureOrder(endpoint="fal-ai/esrgan", image=shown, scale=2))
    assert len((await finished(client, job)).files) == 1
    assert fal.jobs[job.id].arguments["scale"] == 2
    training = TrainingOrder(
        endpoint="fal-ai/flux-lora-fast-training",
        dataset_url="https://studio.example/dataset.zip",
        trigger_word="mira",
        steps=100,
        is_style=False,
    )
    outcome = await finished(client, job := await client.submit(training))
    assert str(outcome.files[0].url).endswith(".safetensors")
    assert fal.jobs[job.id].arguments["images_data_url"] == training.dataset_url
    assert fal.jobs[job.id].arguments["trigger_word"] == "mira"


async def test_cancel_reaches_it(client: Fal, fal: FakeFal) -> None:
    fal.seconds = 60
    job = await client.submit(image_order())
    assert isinstance(await client.poll(job), Running)
    await client.cancel(job)
    assert fal.jobs[job.id].cancelled
    # One that it does not know any more is none to worry about.
    await client.cancel(Job("fal-ai/flux-lora", "gone"))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (says(429, "Too many requests", retry_after="7"), HostedRateLimited),
        (says(402, "Insufficient balance"), HostedQuota),
        (says(403, "User is locked. Reason: Exhausted balance."), HostedQuota),
        (says(403, "Not allowed"), HostedKeyRefused),
        (says(500, "Internal error"), HostedUnavailable),
        (says(503, "<html>nginx</html>"), HostedUnavailable),
        (
            says(
                422, [{"loc": ["body", "prompt"], "msg": "no", "type": "content_policy_violation"}]
            ),
            HostedRefused,
        ),
        (says(422, [{"loc": ["body"], "msg": "bad size", "type": "value_error"}]), HostedInvalid),
        (hangs, HostedOutcomeUnknown),
        (hangs_up, HostedOutcomeUnknown),
        (garbage, HostedOutcomeUnknown),
    ],
)
async def test_faults_of_a_submission_are_told_apart_and_it_is_sent_once(
    client: Fal, fal: FakeFal, fault: Fault, kind: type[HostedError]
) -> None:
    fal.on_submit.append(fault)
    with pytest.raises(HostedError) as caught:
        await client.submit(image_order())
    assert type(caught.value) is kind, repr(caught.value)
    assert len(fal.headers) == 1
    assert fal.key not in str(caught.value)
    if kind is HostedRateLimited:
        assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (says(500, "the model crashed"), HostedFailed),
        (says(422, [{"msg": "flagged", "type": "content_policy_violation"}]), HostedRefused),
        (garbage, HostedMalformed),
        (hangs_up, HostedUnavailable),
    ],
)
async def test_faults_of_a_result(
    client: Fal, fal: FakeFal, fault: Fault, kind: type[HostedError]
) -> None:
    fal.on_result.append(fault)
    job = await client.submit(image_order())
    with pytest.raises(kind):
        await finished(client, job)


async def test_a_safety_checker_that_blackens_everything_is_a_refusal(
    client: Fal, fal: FakeFal
) -> None:
    fal.results["fal-ai/flux-lora"] = {
        "images": [fal.file("64x96.png", "image/png")] * 2,
        "has_nsfw_concepts": [True, True],
    }
    with pytest.raises(HostedRefused):
        await finished(client, await client.submit(image_order()))


async def test_a_wrong_key_is_told_and_never_shown(
    fal: FakeFal, caplog: pytest.LogCaptureFixture
) -> None:
    opened = provider(fal, key="wrong-secret-key")
    with caplog.at_level(logging.DEBUG), pytest.raises(HostedKeyRefused) as caught:
        await opened.submit(image_order())
    await opened.aclose()
    assert "wrong-secret-key" not in f"{caught.value!r} {opened!r} {caplog.text}"
