"""A whole platform as a child process, for those who want one for a while: the demo, the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from configs.settings import Settings
from serve_app.client import local_url
from serve_app.platform.errors import StartupError
from serve_app.platform.ports import refuse_taken_port

__all__ = ["Platform", "StartupError"]

_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that answers at ``base_url`` (scheme, host and port) to ``api_key``.

    ``process`` is its supervisor, or None where somebody else runs it.
    """

    base_url: str
    api_key: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def compute_url(self) -> str:
        """Base of the Compute API."""
        return f"{self.base_url}/compute/api/v1"

    @classmethod
    @contextmanager
    def running(
        cls,
        settings: Settings,
        *,
        environment: Mapping[str, str] | None = None,
        on_wait: Callable[[str], None] | None = None,
        timeout_seconds: float = 240.0,
    ) -> Iterator[Self]:
        """Start a platform, and stop it at the end of the block.

        Args:
            settings: of the platform: the ones that ``environment`` makes.
            environment: variables for it beside those of this process.
            on_wait: told what it is doing, several times a second, until it is ready.
            timeout_seconds: how long it may take to be ready.

        Raises:
            StartupError: with what it wrote, when it did not become ready.
        """
        refuse_taken_port(settings)  # its owner's /readyz would be taken for ours
        settings.home.mkdir(parents=True, exist_ok=True)
        log = settings.home / "platform.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "serve_app", "up", "--plain"],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A terminal's Ctrl-C reaches it through us.
                start_new_session=True,
            )
        base_url = local_url(settings)
        try:
            _wait_until_ready(process, base_url, log, on_wait, timeout_seconds)
            yield cls(base_url, settings.api_key.get_secret_value(), process)
        finally:
            _stop(process)


def _wait_until_ready(
    process: subprocess.Popen[bytes],
    base_url: str,
    log: Path,
    on_wait: Callable[[str], None] | None,
    timeout_seconds: float,
) -> None:
    deadline = time.monotonic() + timeout_seconds
    with httpx.Client(trust_env=False, timeout=10.0) as client:
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartupError(f"the platform did not start:\n{log.read_text()[-4000:]}")
            if on_wait is not None:
                on_wait(next(reversed(log.read_text().splitlines()), ""))
            with suppress(httpx.HTTPError):
                if client.get(f"{base_url}/readyz").status_code == httpx.codes.OK:
                    return
            time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
