"""What Ray and its parts must find in their environment before the first of them starts."""

from __future__ import annotations

from pathlib import Path

from serve_app.platform.ports import Ports

# HAProxy's own files: a unix socket path may hold 107 bytes, so they live under a short folder.
_RUN_FOLDER = Path("/tmp")  # noqa: S108 - unix sockets need a short path; the folder is mode 0700


def run_folder(ports: Ports) -> Path:
    """The private folder of one platform's sockets and of Ray's session."""
    return _RUN_FOLDER / f"sartiq-{ports.http}"


def ray_environment(ports: Ports, token: str) -> dict[str, str]:
    """Variables for Ray 2.60 and its HAProxy ingress.

    Args:
        ports: that the platform may use.
        token: that every client of the Ray cluster has to present.
    """
    haproxy = run_folder(ports) / "haproxy"
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports.haproxy_stats),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports.haproxy_metrics),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.fallback_http),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(ports.fallback_grpc),
        # Threads that wait on two busy cores only add switches.
        "RAY_SERVE_HAPROXY_NBTHREAD": "2",
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "20",
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(ports.replicas),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(ports.replicas + ports.replica_count - 1),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # Ray would run every worker at 15: whatever else the machine does then starves the gateway.
        "RAY_worker_niceness": "0",
        # A second loop in a second thread halves the requests per second: each waits up to 5 ms for
        # the interpreter's lock. Nothing of ours blocks a replica's loop.
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        # Ten rounds a second would take a twentieth of a core for ever; four are soon enough.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.25",
        # 5 s are not enough to start a proxy while both cores are loading models.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "90",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "1",
        "RAY_SERVE_LOG_TO_STDERR": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
