"""The deployment class, run without Serve."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from configs.settings import get_settings
from deployments.background_removal.server import BackgroundRemoval
from deployments.contracts import Progress, RemoveBackgroundRequest, Result, Started
from deployments.errors import InvalidInput, ModelUnavailable

Server = BackgroundRemoval.func_or_class


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SARTIQ_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def request(*shape: int) -> RemoveBackgroundRequest:
    return RemoveBackgroundRequest("task_1", np.zeros(shape, np.uint8))


async def test_stream_is_started_progress_result() -> None:
    events = [event async for event in Server()(request(40, 30, 3))]
    assert [type(event) for event in events] == [Started, Progress, Result]
    assert events[-1].images[0].shape == (40, 30, 4)


async def test_errors_keep_their_type_and_the_server_goes_on() -> None:
    server = Server()
    with pytest.raises(InvalidInput):
        _ = [event async for event in server(request(40, 30))]
    assert len([event async for event in server(request(8, 8, 3))]) == 3
    server.check_health()


async def test_the_model_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARTIQ_MODELS_BACKGROUND_ONNX", "/nowhere/isnet.onnx")
    get_settings.cache_clear()
    with pytest.raises(ModelUnavailable, match=r"there is no model /nowhere/isnet\.onnx"):
        _ = [event async for event in Server()(request(8, 8, 3))]
