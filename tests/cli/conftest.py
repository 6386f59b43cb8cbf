from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from serve_app.__main__ import main
from tests.cli.compute_api import KEY, ComputeApi, serving

Run = Callable[..., int]


@pytest.fixture
def api() -> Iterator[ComputeApi]:
    with serving() as running:
        yield running


@pytest.fixture
def product(tmp_path: Path) -> Path:
    path = tmp_path / "product.jpg"
    Image.new("RGB", (32, 48), "navy").save(path)
    return path


@pytest.fixture
def sartiq(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs one command in this process, as the console script does; returns its exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["sartiq", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def there(api: ComputeApi) -> list[str]:
    """Options that lead to the API."""
    return ["--base-url", api.url, "--api-key", KEY]
