"""The deployment class, run without Serve."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from configs.settings import get_settings
from deployments.contracts import Event, Progress, Result, Started, UpscaleRequest
from deployments.errors import InvalidInput, ModelUnavailable
from deployments.upscaling.server import Upscaling

Server = Upscaling.func_or_class


@pytest.fixture(scope="module", autouse=True)
def _settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SARTIQ_HOME", str(tmp_path_factory.mktemp("home")))
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


def request(height: int = 24, width: int = 24, **changes: object) -> UpscaleRequest:
    image = np.zeros((height, width, 3), np.uint8)
    return UpscaleRequest(**{"request_id": "task_1", "image": image, "scale": 2, **changes})


async def events(server: object, of: UpscaleRequest) -> list[Event]:
    return [event async for event in server(of)]


async def test_stream_is_started_progress_result() -> None:
    first, *between, last = await events(Server(), request(300, 20))
    assert first == Started()
    assert between == [Progress(0.5, 1, 2), Progress(1.0, 2, 2)]
    assert isinstance(last, Result)
    assert last.images[0].shape == (600, 40, 3)


async def test_a_request_may_name_its_model() -> None:
    *_, last = await events(Server(), request(8, 8, model="realesrgan-x4plus-anime", scale=4))
    assert isinstance(last, Result)
    assert last.info["model"] == "realesrgan-x4plus-anime"


async def test_errors_keep_their_type_and_the_server_goes_on() -> None:
    server = Server()
    with pytest.raises(InvalidInput):
        await events(server, request(scale=7))
    with pytest.raises(ModelUnavailable, match="no upscaler 'none'"):
        await events(server, request(model="none"))
    assert isinstance((await events(server, request()))[-1], Result)


def test_an_unknown_model_of_the_installation_is_refused_at_once() -> None:
    with pytest.raises(ModelUnavailable):
        Server(model="none")


async def test_event_loop_stays_live_and_cancellation_takes_one_tile() -> None:
    server = Server()
    await events(server, request())  # loaded
    started = asyncio.Event()
    seen: list[Event] = []

    async def consume() -> None:
        async for event in server(request(2000, 2000)):
            seen.append(event)
            started.set()

    task = asyncio.create_task(consume())
    await started.wait()
    gaps = []
    for _ in range(20):
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(0.01)
        gaps.append(asyncio.get_running_loop().time() - before)
    assert sorted(gaps)[10] < 0.1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # 64 tiles would take most of a minute; the next request waits for one.
    async with asyncio.timeout(20):
        assert isinstance((await events(server, request()))[-1], Result)
    assert len([event for event in seen if isinstance(event, Progress)]) < 10


def test_importing_the_server_loads_no_torch() -> None:
    code = "import sys, deployments.upscaling.server; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
