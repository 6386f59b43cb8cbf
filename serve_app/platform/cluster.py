"""One local Ray cluster with the Serve application on it.

Ray's processes share the fate of the process that called :func:`start_head`: however it ends, they
end. Ray reads its environment when it is imported, so :mod:`serve_app.platform.environment` must
have been applied before this module is.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
import yaml
from ray import serve
from ray.serve.context import _get_global_client
from ray.serve.schema import ApplicationStatus, ProxyStatus, ServeDeploySchema

from configs.settings import CHECKOUT, Settings
from serve_app.platform.environment import run_folder
from serve_app.platform.errors import StartupError
from serve_app.platform.ports import Ports

APPLICATION = "sartiq"
CONFIG_FILE = CHECKOUT / "serve_config.yaml"

_OBJECT_STORE_BYTES = 512 * 1024 * 1024
_HEAD_SECONDS = 60.0
_PROXY_SECONDS = 90.0
_STOP_SECONDS = 10.0


def start_head(settings: Settings, ports: Ports) -> subprocess.Popen[bytes]:
    """Start a one-node Ray cluster that dies with this process.

    ``ray start`` rather than ``ray.init``, which leaves the port of the node's agent fixed: a
    second platform on the machine would fail on it. The address is loopback, and whatever Ray
    binds to all interfaces all the same asks for the token.

    Raises:
        StartupError: Ray ended again; with the last lines that it wrote.
    """
    folder = run_folder(ports)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / "ray-start.log"
    with log.open("wb") as output:
        head = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "serve_app.platform.head",
                "start",
                "--head",
                "--block",
                *_head_options(settings, ports),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A terminal's Ctrl-C must reach Ray through us, after the replicas have drained.
            start_new_session=True,
        )
    deadline = time.monotonic() + _HEAD_SECONDS
    while not _accepts(ports.gcs):
        if head.poll() is not None or time.monotonic() > deadline:
            stop_head(head)
            raise StartupError(f"Ray did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
    return head


def _head_options(settings: Settings, ports: Ports) -> list[str]:
    options: dict[str, object] = {
        "node-ip-address": "127.0.0.1",
        "port": ports.gcs,
        "node-manager-port": ports.node_manager,
        "object-manager-port": ports.object_manager,
        "dashboard-host": "127.0.0.1",
        "dashboard-port": ports.dashboard,
        "dashboard-agent-listen-port": ports.agent_http,
        "dashboard-agent-grpc-port": ports.agent_grpc,
        "runtime-env-agent-port": ports.runtime_env_agent,
        "ray-client-server-port": ports.ray_client,
        "metrics-export-port": ports.ray_metrics,
        # 0: any free ports; a fixed range would be shared with the next platform.
        "min-worker-port": 0,
        "max-worker-port": 0,
        "object-store-memory": _OBJECT_STORE_BYTES,
        "temp-dir": settings.ray.temp_dir or run_folder(ports) / "ray",
    }
    if settings.ray.num_cpus is not None:
        options["num-cpus"] = int(settings.ray.num_cpus)
    return [f"--{name}={value}" for name, value in options.items()] + ["--disable-usage-stats"]


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_proxy(settings: Settings, ports: Ports) -> None:
    """Connect to the cluster and start Serve with nothing but its proxy.

    The proxy comes first and alone: replicas that load models beside it can starve it of both
    cores until Serve gives it up.

    Raises:
        StartupError: the proxy did not become healthy.
    """
    ray.init(
        address=f"127.0.0.1:{ports.gcs}",
        log_to_driver=False,
        logging_level=logging.ERROR,
        namespace="serve",
    )
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    config = deployment_config(settings, CONFIG_FILE)
    serve.start(
        proxy_location=config.proxy_location,
        http_options=config.http_options.model_dump(),
        logging_config=config.logging_config,
    )
    deadline = time.monotonic() + _PROXY_SECONDS
    while not _all_healthy(serve.status().proxies):
        if time.monotonic() > deadline:
            raise StartupError(f"the proxy did not start: {serve.status().proxies}")
        time.sleep(0.05)


def _all_healthy(proxies: Mapping[str, ProxyStatus]) -> bool:
    return bool(proxies) and all(status == ProxyStatus.HEALTHY for status in proxies.values())


def deploy(settings: Settings, timeout_seconds: float) -> None:
    """Deploy the application and return when every deployment has the replicas it asks for.

    Raises:
        StartupError: a deployment failed, or time ran out; with the messages of Serve.
    """
    # `serve run` deploys a config file by this same call; the public alternative is the
    # dashboard's REST interface, which would have to be up first.
    _get_global_client().deploy_apps(deployment_config(settings, CONFIG_FILE), _blocking=False)
    deadline = time.monotonic() + timeout_seconds
    while True:
        application = serve.status().applications.get(APPLICATION)
        status = application.status if application else ApplicationStatus.NOT_STARTED
        if status == ApplicationStatus.RUNNING:
            return
        if status == ApplicationStatus.DEPLOY_FAILED or time.monotonic() > deadline:
            raise StartupError(_explain(application))
        time.sleep(0.1)


def deployment_config(settings: Settings, path: Path) -> ServeDeploySchema:
    """The application of ``serve_config.yaml``, listening where the settings say."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    document["logging_config"]["encoding"] = settings.log_format.upper()
    document["http_options"] |= {"host": settings.http.host, "port": settings.http.port}
    return ServeDeploySchema.model_validate(document)


def _explain(application: Any) -> str:
    if application is None:
        return "Serve did not accept the application"
    lines = [f"application {APPLICATION}: {application.status} {application.message}".strip()]
    lines += [
        f"  {name}: {deployment.status} {deployment.message}".rstrip()
        for name, deployment in application.deployments.items()
        if deployment.status != "HEALTHY"
    ]
    return "\n".join(lines)


def undeploy() -> None:
    """Let replicas finish or hand back what they hold, then end Serve."""
    if ray.is_initialized():
        serve.shutdown()
        ray.shutdown()


def stop_head(head: subprocess.Popen[bytes]) -> None:
    """End Ray's processes; those that do not listen within a few seconds are killed."""
    if head.poll() is None:
        head.terminate()
        try:
            head.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()
