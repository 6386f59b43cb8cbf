"""The same application under plain uvicorn: no Ray Serve, no HAProxy, one worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from starlette.applications import Starlette

from benchmarks.context import Context, free_port
from configs.settings import get_settings

_START_SECONDS = 60.0


def create() -> Starlette:
    """The gateway's application; uvicorn calls this in the child."""
    from serve_app.gateway import create_gateway  # noqa: PLC0415  imports Ray

    return create_gateway(get_settings(), gpu=False)


@contextmanager
def plain_gateway(context: Context, **settings: str) -> Iterator[str]:
    """The gateway in a child process, on the platform's own database and storage; its base URL.

    ``settings``: variables of its environment.
    """
    port = free_port()
    log = Path(context.settings.home) / f"plain-gateway-{port}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "--factory", "benchmarks.plain:create"),
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                *("--no-access-log", "--log-level", "warning"),
            ],
            env={**os.environ, **settings, "DATABASE_URL": context.database_url},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        base_url = f"http://127.0.0.1:{port}"
        _wait(child, base_url, log)
        yield base_url
    finally:
        child.terminate()
        child.wait(30)


def _wait(child: subprocess.Popen[bytes], base_url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{base_url}/healthz", trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise RuntimeError(f"uvicorn did not start:\n{log.read_text()[-2000:]}")
