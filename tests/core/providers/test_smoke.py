"""One call of each real service, where its key is set when the tests begin."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from pydantic import SecretStr

from configs.settings import ProviderSettings
from serve_app.core.llm.answers import GarmentCaption, schema_of
from serve_app.core.llm.questions import question_of
from serve_app.core.providers.base import Job, Outcome, Picture
from serve_app.core.providers.claude import Claude
from serve_app.core.providers.gemini import Gemini
from tests.factories.pictures import picture
from tests.fixtures.hosted.plugin import REAL_KEYS

CAPTION = {"operation": "caption", "kind": "garment", "data": {"name": "dress"}}
# fal_client learns its host while it is imported, and here that is a server of the tests.
FAL = """
import asyncio, sys
from pydantic import SecretStr
from configs.settings import ProviderSettings
from serve_app.core.providers.base import Outcome, Picture, PictureOrder
from serve_app.core.providers.fal import Fal
from tests.factories.pictures import picture

async def main():
    fal = Fal(SecretStr(sys.stdin.read()), ProviderSettings())
    shown = Picture(picture(256, 256), "image/png")
    job = await fal.submit(PictureOrder(endpoint="fal-ai/birefnet/v2", image=shown))
    while not isinstance(status := await fal.poll(job), Outcome):
        await asyncio.sleep(0.5)
    assert len(status.files) == 1

asyncio.run(main())
"""


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not REAL_KEYS[name], reason=f"{name} is not set")


async def caption(provider: Claude | Gemini, endpoint: str) -> GarmentCaption:
    question = question_of(CAPTION, (Picture(picture(256, 256), "image/png"),))
    order = question.order(endpoint, schema_of(GarmentCaption))
    submitted = await provider.submit(order)
    status: object = submitted
    async with asyncio.timeout(120):
        while not isinstance(status, Outcome):
            assert isinstance(submitted, Job)
            await asyncio.sleep(0.5)
            status = await provider.poll(submitted)
    await provider.aclose()
    return GarmentCaption.model_validate_json(status.text or "")


@needs("ANTHROPIC_API_KEY")
async def test_claude() -> None:
    key = SecretStr(REAL_KEYS["ANTHROPIC_API_KEY"])
    assert (await caption(Claude(key, ProviderSettings()), "claude-haiku-4-5")).caption


@needs("GEMINI_API_KEY")
async def test_gemini() -> None:
    key = SecretStr(REAL_KEYS["GEMINI_API_KEY"])
    assert (await caption(Gemini(key, ProviderSettings()), "gemini-2.5-flash")).caption


@needs("FAL_KEY")
def test_fal() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "FAL_QUEUE_RUN_HOST"}
    environment.pop("SSL_CERT_FILE", None)
    subprocess.run(
        [sys.executable, "-c", FAL],
        input=REAL_KEYS["FAL_KEY"],
        text=True,
        env=environment,
        timeout=180,
        check=True,
    )


def test_no_process_loads_an_sdk_before_it_asks() -> None:
    """Neither the gateway nor the runner; a key alone loads nothing either."""
    code = (
        "import sys, serve_app.gateway, serve_app.app\n"
        "from configs.settings import Settings\n"
        "from serve_app.core.providers.registry import Providers\n"
        "settings = Settings(environment='test', fal_key='a', anthropic_api_key='b')\n"
        "assert Providers(settings).names == ('fal', 'claude')\n"
        "found = {'anthropic', 'fal_client', 'google.genai'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
