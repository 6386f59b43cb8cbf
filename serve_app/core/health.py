"""``/healthz``: the process answers. ``/readyz``: the platform can do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ray import serve
from ray.serve.schema import DeploymentStatus
from starlette.requests import Request
from starlette.responses import JSONResponse

from db.migrate import is_current
from serve_app.core.dependencies import resources_of
from serve_app.core.resources import Resources

_APPLICATION = "sartiq"
_CHECK_SECONDS = 5.0


async def healthz(_: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """Each part that the platform needs, with the reason where one is not ready."""
    resources = resources_of(request)
    checks: dict[str, Callable[[Resources], Awaitable[None]]] = {
        "database": _check_database,
        "storage": _check_storage,
        "models": _check_models,
    }
    outcomes = await asyncio.gather(*(_outcome(check, resources) for check in checks.values()))
    ready = all(outcome == "ok" for outcome in outcomes)
    body = {
        "status": "ready" if ready else "not ready",
        "checks": dict(zip(checks, outcomes, strict=True)),
    }
    return JSONResponse(body, 200 if ready else 503)


async def _outcome(check: Callable[[Resources], Awaitable[None]], resources: Resources) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check(resources)
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what the caller asks about
        return str(error) or type(error).__name__
    return "ok"


async def _check_database(resources: Resources) -> None:
    async with resources.database.read() as session:
        if not await is_current(session):
            raise RuntimeError("the schema is old; run `sartiq db upgrade`")


async def _check_storage(resources: Resources) -> None:
    await resources.store.check()


async def _check_models(_: Resources) -> None:
    # The status of Serve, not a call to a replica: a busy replica is a ready one.
    status = await asyncio.to_thread(serve.status)
    deployments = status.applications[_APPLICATION].deployments
    unhealthy = [
        f"{name}: {deployment.message or deployment.status.value}"
        for name, deployment in deployments.items()
        if deployment.status != DeploymentStatus.HEALTHY
    ]
    if unhealthy:
        raise RuntimeError("; ".join(unhealthy))
