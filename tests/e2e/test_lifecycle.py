"""A platform comes up, says where everything is, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from configs.settings import CHECKOUT, Settings
from db.embedded import EmbeddedPostgres
from serve_app.platform import Platform
from serve_app.platform.ports import Ports
from tests.e2e.client import ended, submit
from tests.fixtures.platform import LivePlatform, free_http_port

pytestmark = pytest.mark.platform

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.fixture
def home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="sartiq-lifecycle-"))
    home.chmod(0o755)
    yield home
    with suppress(Exception):
        EmbeddedPostgres(home).stop()
    shutil.rmtree(home, ignore_errors=True)


def family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def of_home(home: Path) -> list[psutil.Process]:
    """Processes of the embedded Postgres of a home: they outlive their owner."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(home) in " ".join(process.info["cmdline"] or [])
    ]


def announcement(home: Path) -> str:
    """What a platform says of itself, a moment after it is ready."""
    deadline = time.monotonic() + 20
    while "Ctrl-C" not in (said := (home / "platform.log").read_text()):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return said


@pytest.mark.timeout(600)  # three platforms start and end
def test_it_leaves_nothing_behind(home: Path) -> None:
    port = free_http_port()
    settings = Settings(home=home, http={"port": port}, environment="test")
    environment = {"SARTIQ_HOME": str(home), "SARTIQ_HTTP_PORT": str(port)}
    with Platform.running(settings, environment=environment) as running:
        assert running.process is not None
        first = family(psutil.Process(running.process.pid))
        announced = announcement(home)
        for text in ("/compute/api/v1", "/api/v1/docs", "Ray dashboard", running.api_key, "curl"):
            assert text in announced
        # A second one on the same home is told so, and disturbs nobody.
        second = subprocess.run(
            [sys.executable, "-m", "serve_app", "up", "--plain"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 1
        assert "a platform runs on" in second.stderr
    _, alive = psutil.wait_procs(first, timeout=20)
    assert not alive, alive
    assert not of_home(home)

    # Killed, it takes Ray with it; Postgres stays, and the next one attaches to it.
    with Platform.running(settings, environment=environment) as running:
        assert running.process is not None
        killed = family(psutil.Process(running.process.pid))
        postgres = EmbeddedPostgres(home).pid
        running.process.kill()
        killed = [process for process in killed if process not in of_home(home)]
        _, alive = psutil.wait_procs(killed, timeout=40)
        assert not alive, alive
    assert EmbeddedPostgres(home).pid == postgres
    with Platform.running(settings, environment=environment):
        assert EmbeddedPostgres(home).pid == postgres
    assert not of_home(home)


def test_what_listens_beyond_loopback(platform: LivePlatform) -> None:
    """HAProxy's two pages and Ray's own token-protected ports, as the README lists them."""
    assert platform.platform.process is not None
    open_ports: dict[str, set[int]] = {}
    for process in family(psutil.Process(platform.platform.process.pid)):
        with suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.ip not in LOOPBACK:
                    open_ports.setdefault(process.name(), set()).add(connection.laddr.port)
    assert open_ports.pop("haproxy") == {
        platform.ports.haproxy_stats,
        platform.ports.haproxy_metrics,
    }
    ours = {platform.ports.http, platform.ports.dashboard, *replica_ports(platform.ports)}
    for name, numbers in open_ports.items():
        assert numbers.isdisjoint(ours), f"{name} listens on {numbers & ours} beyond loopback"
    # Ray's control plane asks for the token.
    unauthenticated = httpx.get(
        f"http://127.0.0.1:{platform.ports.dashboard}/api/jobs/", trust_env=False
    )
    assert unauthenticated.status_code == 401


def replica_ports(ports: Ports) -> range:
    return range(ports.replicas, ports.replicas + ports.replica_count)


def test_serve_run_works_by_itself(own_database_url: str, home: Path) -> None:
    """`serve run serve_config.yaml`, as a developer types it, on a database of their own."""
    port = free_http_port()
    config = home / "serve_config.yaml"
    text = (CHECKOUT / "serve_config.yaml").read_text()
    assert "port: 8000" in text
    config.write_text(text.replace("port: 8000", f"port: {port}"))
    environment = {
        **os.environ,
        "DATABASE_URL": own_database_url,
        "SARTIQ_HOME": str(home),
        "RAY_TMPDIR": str(home),
        "HOME": str(home),
    }
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("serve")), "run", str(config)],
            cwd=CHECKOUT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = family(psutil.Process(process.pid))
    try:
        base = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 180
        ready = 0
        while ready != 200:
            assert process.poll() is None, (home / "serve.log").read_text()[-3000:]
            assert time.monotonic() < deadline, (home / "serve.log").read_text()[-3000:]
            with suppress(httpx.HTTPError):
                ready = httpx.get(f"{base}/readyz", trust_env=False, timeout=10).status_code
            time.sleep(0.2)
        key = Settings(home=home).api_key.get_secret_value()
        with httpx.Client(
            base_url=f"{base}/compute/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=60,
        ) as client:
            task = submit(client, prompt="fashion model wearing a red dress", steps=2)
            assert ended(client, task["id"])["status"] == "completed"
    finally:
        started = family(psutil.Process(process.pid))
        process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(started, timeout=60)
        for left in alive:
            left.kill()
        process.wait(10)
    assert not alive, alive
