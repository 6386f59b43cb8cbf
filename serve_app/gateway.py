"""The ingress: both APIs and the health routes behind one port."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import ray
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Host, Mount, Route, Router
from starlette.types import ASGIApp

from configs.settings import Settings, get_settings
from serve_app.backend.app import create_backend_api
from serve_app.compute.app import create_compute_api
from serve_app.core.addresses import Resolver, resolve
from serve_app.core.dependencies import RESOURCES_STATE
from serve_app.core.draining import is_draining, when_draining
from serve_app.core.errors import install_error_handlers
from serve_app.core.health import healthz, readyz
from serve_app.core.requests import RequestTrail
from serve_app.core.resources import open_resources
from telemetry.setup import configure

COMPUTE_BASE = "/compute/api/v1"
BACKEND_BASE = "/api/v1"
# Objects made and not freed until the young are looked through, then collections of each kind until
# one of the next. Python's own are 700, 10 and 10.
_COLLECTION_THRESHOLDS = (20_000, 20, 100)


def create_gateway(
    settings: Settings,
    *,
    gpu: bool,
    resolver: Resolver = resolve,
    is_draining: Callable[[], bool] = is_draining,
) -> Starlette:
    """Both APIs on one port by path; ``compute-api.*`` by host as well.

    Connections are opened by the application's lifespan.

    Args:
        settings: of the process.
        gpu: whether the cluster has one, and so which models can be asked for.
        resolver: finds the addresses of the hosts whose URLs clients name.
        is_draining: whether this process is about to go, which ends its streams of events.
    """
    compute = create_compute_api(settings)
    backend = create_backend_api(settings)

    @asynccontextmanager
    async def lifespan(gateway: Starlette) -> AsyncIterator[None]:
        async with open_resources(settings, gpu=gpu, resolver=resolver) as resources:
            for app in (gateway, compute, backend):
                setattr(app.state, RESOURCES_STATE, resources)
            await resources.changes.listen(resources.database)
            watching = asyncio.create_task(when_draining(resources.feeds.end, is_draining))
            yield
            watching.cancel()

    health = [Route("/healthz", healthz), Route("/readyz", readyz)]
    by_host = Router([*health, Mount(COMPUTE_BASE, compute), Mount(BACKEND_BASE, compute)])
    gateway = Starlette(
        lifespan=lifespan,
        middleware=[Middleware(RequestTrail)],
        routes=[
            Host("compute-api.{domain:path}", by_host),
            *health,
            Mount(COMPUTE_BASE, compute),
            Mount(BACKEND_BASE, backend),
        ],
    )
    install_error_handlers(gateway)
    return gateway


@serve.deployment
@serve.ingress()
class Gateway:
    """The ingress deployment. It holds no state: any number of replicas may run.

    Args:
        runner: the deployment that carries tasks out; named here so that Serve deploys it too.
    """

    def __init__(self, runner: DeploymentHandle) -> None:
        self._runner = runner

    def __serve_build_asgi_app__(self) -> ASGIApp:
        configure(get_settings(), "gateway")
        gateway = create_gateway(get_settings(), gpu=ray.cluster_resources().get("GPU", 0) > 0)
        _spare_collections()
        return gateway


def _spare_collections() -> None:
    """Stop the garbage collector from stopping requests.

    What is loaded now stays for ever: walking through it again took 60 ms at every full collection.
    Under load there was one each second, and collections of all kinds took 13 % of the time; a
    request leaves little to them, as nearly all of it is freed by its reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTION_THRESHOLDS)
