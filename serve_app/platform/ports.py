"""Which port everything of one local platform listens on.

Two platforms on one machine (a developer's and a test's) differ in their HTTP port alone: the rest
is derived from it, so they never meet.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self

from configs.settings import Settings
from serve_app.platform.errors import StartupError

# Platforms whose HTTP ports are less than this apart have ranges of their own.
_PLATFORMS = 400
_RAY_PORTS = 16
_REPLICA_PORTS = 16


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of one platform, all TCP.

    ``replicas`` is the first of the ``replica_count`` ports from which HAProxy reaches the
    gateway's replicas; the ports from ``gcs`` on are Ray's own, the last two of its Python proxy,
    which answers while no replica is reachable.
    """

    http: int
    dashboard: int
    haproxy_stats: int
    haproxy_metrics: int
    gcs: int
    node_manager: int
    object_manager: int
    agent_http: int
    agent_grpc: int
    runtime_env_agent: int
    ray_client: int
    ray_metrics: int
    fallback_http: int
    fallback_grpc: int
    replicas: int
    replica_count: int = _REPLICA_PORTS

    @classmethod
    def derive(cls, settings: Settings) -> Self:
        """Spread the platform's ports over ranges that the HTTP port selects.

        With the default of 8000: dashboard 8265, HAProxy statistics 8404 and metrics 9101, as Ray
        has them, its other ports from 10000 and the gateway's replicas from 23000.
        """
        http = settings.http.port
        platform = (http - 8000) % _PLATFORMS
        ray = 10000 + platform * _RAY_PORTS
        return cls(
            http=http,
            dashboard=settings.ray.dashboard_port or _wrap(http + 265),
            haproxy_stats=_wrap(http + 404),
            haproxy_metrics=_wrap(http + 1101),
            gcs=ray,
            node_manager=ray + 1,
            object_manager=ray + 2,
            agent_http=ray + 3,
            agent_grpc=ray + 4,
            runtime_env_agent=ray + 5,
            ray_client=ray + 6,
            ray_metrics=ray + 7,
            fallback_http=ray + 8,
            fallback_grpc=ray + 9,
            replicas=23000 + platform * _REPLICA_PORTS,
        )


def _wrap(port: int) -> int:
    """Keep derived ports inside the valid range."""
    return port if port <= 65535 else port - 40000


def refuse_taken_port(settings: Settings) -> None:
    """Say at once what would otherwise come out of HAProxy's log a minute later.

    Raises:
        StartupError: somebody else listens on the HTTP port, or it may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.http.host, settings.http.port))
        except OSError as error:
            raise StartupError(
                f"{settings.http.host}:{settings.http.port} cannot be used ({error.strerror}); "
                "set SARTIQ_HTTP_PORT to another port"
            ) from None
